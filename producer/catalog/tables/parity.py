"""Groups of stored objects that share parity, and where its rows lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from msgspec import Struct
from sqlalchemy import delete, insert, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import parity_members, parity_rows, stored_objects


class ParityMember(Struct, frozen=True, kw_only=True):
    object_id: str
    segment_id: str
    bytes_stored: int
    trailer_digest: bytes


class ParityRow(Struct, frozen=True, kw_only=True):
    """``digest``: proves the file; None until it has been written."""

    device_id: str
    bytes_stored: int = 0
    digest: bytes | None = None


class ParityGroup(Struct, frozen=True, kw_only=True):
    """``rows``: in order; on devices of their own."""

    group_id: str
    members: tuple[ParityMember, ...]
    rows: tuple[ParityRow, ...]

    @property
    def size_bytes(self) -> int:
        """Of each row, but for its directory."""
        return max(member.bytes_stored for member in self.members)


class Parity:
    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, groups: Iterable[ParityGroup]) -> None:
        """Record groups; some of their rows may not be written yet."""
        members, rows = list[dict[str, object]](), list[dict[str, object]]()
        for group in groups:
            for place, member in enumerate(group.members):
                members.append({"group_id": group.group_id, "place": place, **_values(member)})
            for number, row in enumerate(group.rows):
                rows.append({"group_id": group.group_id, "row": number, **_values(row)})
        with self._database.transaction():
            if members:
                self._database.write(insert(parity_members), members)
                self._database.write(insert(parity_rows), rows)

    def groups(self) -> list[ParityGroup]:
        """All groups, in order of their ids."""
        members, rows = defaultdict[str, list[ParityMember]](list), defaultdict[str, list[ParityRow]](list)
        for found in self._database.read(select(parity_members).order_by(parity_members.c.group_id, "place")):
            members[found.group_id].append(
                ParityMember(
                    object_id=found.object_id,
                    segment_id=found.segment_id,
                    bytes_stored=found.bytes_stored,
                    trailer_digest=found.trailer_digest,
                )
            )
        for found in self._database.read(select(parity_rows).order_by(parity_rows.c.group_id, "row")):
            rows[found.group_id].append(
                ParityRow(device_id=found.device_id, bytes_stored=found.bytes_stored, digest=found.digest)
            )
        return [
            ParityGroup(group_id=group_id, members=tuple(found), rows=tuple(rows[group_id]))
            for group_id, found in members.items()
        ]

    def dead(self) -> list[ParityGroup]:
        """The groups of which no member is in the index any more."""
        indexed = select(stored_objects.c.object_id).where(stored_objects.c.object_id == parity_members.c.object_id)
        living = {
            row.group_id for row in self._database.read(select(parity_members.c.group_id).where(indexed.exists()))
        }
        return [group for group in self.groups() if group.group_id not in living]

    def object_ids(self) -> set[str]:
        """All objects that are members of a group."""
        return {row.object_id for row in self._database.read(select(parity_members.c.object_id).distinct())}

    def closed(self, segment_ids: Collection[str]) -> set[str]:
        """The segments of all groups of which one of these is a member: the parity of one needs them all."""
        by_group = defaultdict[str, set[str]](set)
        for row in self._database.read(select(parity_members.c.group_id, parity_members.c.segment_id)):
            by_group[row.group_id].add(row.segment_id)
        found = set[str]()
        for group in by_group.values():
            if not group.isdisjoint(segment_ids):
                found |= group
        return found

    def move_row(self, group_id: str, row: int, device_id: str) -> None:
        """Have the row written to this device; the row on its former device no longer counts."""
        statement = update(parity_rows).where(parity_rows.c.group_id == group_id, parity_rows.c.row == row)
        self._database.write(statement.values(device_id=device_id, bytes_stored=0, digest=None))

    def set_row(self, group_id: str, row: int, bytes_stored: int, digest: bytes | None) -> None:
        """Record the digest of the row on its device; None: no whole row is there."""
        statement = update(parity_rows).where(parity_rows.c.group_id == group_id, parity_rows.c.row == row)
        self._database.write(statement.values(bytes_stored=bytes_stored, digest=digest))

    def remove(self, group_id: str) -> None:
        with self._database.transaction():
            self._database.write(delete(parity_members).where(parity_members.c.group_id == group_id))
            self._database.write(delete(parity_rows).where(parity_rows.c.group_id == group_id))


def _values(row: ParityMember | ParityRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}
