"""What forgotten snapshots lend to others: handed on to one that is made for that, and lent from there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from sqlalchemy import delete, func, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import packed_parts, segments, stored_objects, tree_parts

T = TypeVar("T")

#: Values in one IN list.
_LIST_ROWS = 500


class Lending:
    def __init__(self, database: Database) -> None:
        self._database = database

    def part_bytes(self, snapshot_id: str) -> int:
        """The size of the tree parts that a snapshot has brought to the devices, and that are needed still."""
        key = self._database.snapshot_key(snapshot_id)
        statement = select(func.sum(func.length(tree_parts.c.data))).join(
            packed_parts, packed_parts.c.digest == tree_parts.c.digest
        )
        return int(self._database.read(statement.where(packed_parts.c.snapshot_key == key))[0][0] or 0)

    def hand_on(self, lenders: Collection[str], heir: str) -> None:
        """The ``heir`` has brought to the devices what these have: tree parts, and the index of what is stored."""
        to = self._database.snapshot_key(heir)
        with self._database.transaction():
            taken: set[bytes] = set()
            for lender in lenders:
                key = self._database.snapshot_key(lender)
                self._hand_on_parts(key, to, taken)
                self._hand_on_segments(key, to)
                mine = update(stored_objects).where(stored_objects.c.snapshot_id == lender)
                self._database.write(mine.values(snapshot_id=heir))

    def hand_over(self, lender: str, to: str, *, segment_ids: Iterable[str], digests: Iterable[bytes]) -> None:
        """The snapshot ``to`` brings to the devices what it needs of the lender's: these segments and tree parts.

        Its own packs have the parts already.
        """
        key, new_key = self._database.snapshot_key(lender), self._database.snapshot_key(to)
        highest = select(func.max(segments.c.number)).where(segments.c.snapshot_key == new_key)
        with self._database.transaction():
            first = (self._database.read(highest)[0][0] or 0) + 1
            moved = {"snapshot_key": new_key, "number": segments.c.number + first}
            for page in _pages(segment_ids):
                mine = (segments.c.snapshot_key == key, segments.c.segment_id.in_(page))
                self._database.write(update(segments).where(*mine).values(**moved))
                lent = (stored_objects.c.snapshot_id == lender, stored_objects.c.segment_id.in_(page))
                self._database.write(update(stored_objects).where(*lent).values(snapshot_id=to))
            for parts in _pages(digests):
                packed = (packed_parts.c.snapshot_key == key, packed_parts.c.digest.in_(parts))
                self._database.write(delete(packed_parts).where(*packed))

    def _hand_on_parts(self, key: int, to: int, taken: set[bytes]) -> None:
        rows = self._database.read(select(packed_parts.c.digest).where(packed_parts.c.snapshot_key == key))
        new = {row.digest for row in rows} - taken
        taken |= new
        self._database.write(delete(packed_parts).where(packed_parts.c.snapshot_key == key))
        self._database.insert_many(packed_parts, ("snapshot_key", "digest"), ((to, digest) for digest in sorted(new)))

    def _hand_on_segments(self, key: int, to: int) -> None:
        """A segment's number means nothing once its snapshot is forgotten."""
        highest = select(func.max(segments.c.number)).where(segments.c.snapshot_key == to)
        first = (self._database.read(highest)[0][0] or 0) + 1
        moved = update(segments).where(segments.c.snapshot_key == key)
        self._database.write(moved.values(snapshot_key=to, number=segments.c.number + first))


def _pages(values: Iterable[T]) -> Iterator[list[T]]:
    pending = iter(values)
    while page := list(islice(pending, _LIST_ROWS)):
        yield page
