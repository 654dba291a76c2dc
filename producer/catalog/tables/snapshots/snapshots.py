"""Snapshots: open while a backup runs, and sealed when every segment is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Select, and_, case, delete, func, insert, select, update

from producer.catalog.database.database import Database
from producer.catalog.schema import segments, snapshots
from producer.catalog.tables.snapshots.finding import find
from producer.catalog.tables.snapshots.order import SnapshotOrder
from producer.catalog.tables.snapshots.reading import COLUMNS, NEWEST_FIRST, snapshot_row
from producer.catalog.tables.snapshots.rows import (
    LackRow,
    NewSnapshot,
    SnapshotPlan,
    SnapshotRow,
    SnapshotState,
    StoredSums,
)
from tasks.errors import CatalogError, LockedError


class Snapshots:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._order = SnapshotOrder(database)

    def begin(self, snapshot: NewSnapshot) -> None:
        """Record an open snapshot, the newest, which keeps its parent.

        A snapshot id that is there already raises CatalogError; LockedError when the parent was forgotten meanwhile.
        """
        values = {**asdict(snapshot), "state": "open"}
        with self._database.transaction():
            self._confirm_sealed(snapshot.parent_id)
            # Another manager may take the same position at the same moment.
            while not self._database.insert_if_absent(snapshots, {**values, "position": self._order.end()}):
                if self._is_there(snapshot.snapshot_id):
                    raise CatalogError(f"snapshot {snapshot.snapshot_id} is in the catalog already")

    def set_parent(self, snapshot_id: str, parent_id: str) -> None:
        """Record what an open snapshot is compared with now, "" for nothing; raises as :meth:`begin`."""
        with self._database.transaction():
            self._confirm_sealed(parent_id)
            self._change_open(snapshot_id, parent_id=parent_id)

    def _confirm_sealed(self, snapshot_id: str) -> None:
        """FOR SHARE: anyone who wants to forget it waits for this transaction, and sees then what needs it."""
        if not snapshot_id:
            return
        statement = select(snapshots.c.state).where(snapshots.c.snapshot_id == snapshot_id).with_for_update(read=True)
        row = self._database.read_one(statement)
        if row is None or row.state != "sealed":
            raise LockedError(
                f"snapshot {snapshot_id[:8]} was forgotten just now",
                hint="run the same command again: it will choose another one",
            )

    def add_sealed(self, row: SnapshotRow) -> None:
        """Record a snapshot that the devices hold, or will, in its place among the others.

        A snapshot id that is there already raises CatalogError.
        """
        values = {column.name: getattr(row, column.name) for column in COLUMNS}
        values["sources"] = [asdict(source) for source in row.sources]
        values["lacks"] = [asdict(lack) for lack in row.lacks]
        values["owner_names"] = asdict(row.owner_names)
        position = self._order.place_of(row.started_at, row.parent_id)
        self._database.write(insert(snapshots).values(**values, position=position))

    def set_partial(self, snapshot_id: str, entries_count: int, lacks: Sequence[LackRow]) -> None:
        """Record how many entries are left of a sealed snapshot, and what it lacks."""
        key = self._database.snapshot_key(snapshot_id)
        with self._database.transaction():
            self.set_lacks(snapshot_id, lacks)
            of_snapshot = update(snapshots).where(snapshots.c.snapshot_key == key)
            self._database.write(of_snapshot.values(entries_count=entries_count))

    def known_ids(self) -> set[str]:
        """The ids of all snapshots, in any state."""
        return {row.snapshot_id for row in self._database.read(select(snapshots.c.snapshot_id))}

    def _is_there(self, snapshot_id: str) -> bool:
        statement = select(snapshots.c.snapshot_key).where(snapshots.c.snapshot_id == snapshot_id)
        return self._database.read_one(statement) is not None

    def set_plan(self, snapshot_id: str, plan: SnapshotPlan) -> None:
        """Record what the plan says of an open snapshot; a new plan replaces the old one."""
        self._change_open(snapshot_id, **asdict(plan), planned_at=datetime.now(UTC))

    def describe(self, snapshot_id: str, description: str) -> None:
        """Replace the description of an open snapshot."""
        self._change_open(snapshot_id, description=description)

    def confirm_plan(self, snapshot_id: str) -> None:
        """Note that the plan of an open snapshot holds for the run that resumes it, too."""
        self._change_open(snapshot_id, planned_at=datetime.now(UTC))

    def seal(
        self,
        snapshot_id: str,
        sealed_at: datetime,
        head_digest: bytes,
        lacks: Sequence[LackRow] = (),
        *,
        holders: Sequence[str] = (),
    ) -> None:
        """Make an open snapshot complete, with the sums of its stored segments.

        ``head_digest``: of its manifest, which these devices hold.

        Raises CatalogError, and changes nothing, while a segment is neither stored, nor superseded, nor left out.
        """
        with self._database.transaction():
            stored = self._stored_sums(snapshot_id)
            self._change_open(
                snapshot_id,
                state="sealed",
                sealed_at=sealed_at,
                segments_count=stored.segments_count,
                bytes_stored=stored.bytes_stored,
                head_digest=head_digest,
                holders=list(holders),
                lacks=[asdict(lack) for lack in lacks],
            )

    def set_lacks(self, snapshot_id: str, lacks: Sequence[LackRow]) -> None:
        """Record what a snapshot lacks because devices are away."""
        key = self._database.snapshot_key(snapshot_id)
        values = [asdict(lack) for lack in lacks]
        self._database.write(update(snapshots).where(snapshots.c.snapshot_key == key).values(lacks=values))

    def confirm_complete(self, snapshot_id: str) -> StoredSums:
        """Raise what :meth:`seal` would, for what is done on the strength of it; returns what it would record."""
        self._database.confirm_writer()
        return self._stored_sums(snapshot_id)

    def brought_to(self, device_ids: Collection[str]) -> set[str]:
        """The snapshots whose manifest each of these devices has."""
        rows = self._database.read(select(snapshots.c.snapshot_id, snapshots.c.holders))
        return {row.snapshot_id for row in rows if set(device_ids) <= set(row.holders)}

    def discard(self, snapshot_id: str) -> None:
        """Delete an open snapshot, as if it had never begun.  Once segments were fed it is forgotten instead.

        Workers may have stored them: a prune deletes these, as it may, for this catalog has begun and ended
        the snapshot.
        """
        key = self._database.snapshot_key(snapshot_id)
        with self._database.transaction():
            fed = select(segments.c.number).where(segments.c.snapshot_key == key, segments.c.fed_at.is_not(None))
            if self._database.read(fed.limit(1)):
                self._change_open(snapshot_id, state="forgotten", forgotten_at=datetime.now(UTC))
                return
            deleted_count = self._database.write(
                delete(snapshots).where(snapshots.c.snapshot_id == snapshot_id, snapshots.c.state == "open")
            )
        if not deleted_count:
            raise CatalogError(f"snapshot {snapshot_id} is not open")
        self._database.forget_key(snapshot_id)

    def all(self, state: SnapshotState = "sealed") -> list[SnapshotRow]:
        """All snapshots in one state, oldest first."""
        statement = select(*COLUMNS).where(snapshots.c.state == state)
        return self._rows(statement.order_by(snapshots.c.position))

    def states(self) -> dict[str, SnapshotState]:
        """The state of every snapshot that the catalog has begun and not wholly forgotten."""
        rows = self._database.read(select(snapshots.c.snapshot_id, snapshots.c.state))
        return {row.snapshot_id: row.state for row in rows}

    def newest_of_each_volume(self) -> dict[str, list[SnapshotRow]]:
        """Volume → its newest snapshot, and the one that was planned last if that is another; reads no other row."""
        found: defaultdict[str, list[SnapshotRow]] = defaultdict(list)
        for row in self._rows(_newest_of_each_volume()):
            found[row.volume].append(row)
        return found

    def newest_sealed_of_each_volume(self) -> dict[str, SnapshotRow]:
        """Volume → its newest complete snapshot; reads no other row."""
        newest = select(func.max(snapshots.c.position)).where(snapshots.c.state == "sealed")
        of_each = newest.group_by(snapshots.c.volume)
        rows = self._rows(select(*COLUMNS).where(snapshots.c.position.in_(of_each)))
        return {row.volume: row for row in rows}

    def volumes(
        self, hostname: str | None = None, pools: Collection[str] | None = None, state: SnapshotState = "sealed"
    ) -> set[str]:
        """The volumes of sealed snapshots, of those made on one host, or in some pools, if given."""
        statement = select(snapshots.c.volume).where(snapshots.c.state == state).distinct()
        if hostname is not None:
            statement = statement.where(snapshots.c.hostname == hostname)
        if pools is not None:
            statement = statement.where(snapshots.c.pool_id.in_(pools))
        return {row.volume for row in self._database.read(statement)}

    def sealed_of(self, volume: str, limit: int | None = None) -> list[SnapshotRow]:
        """The sealed snapshots of a volume, newest first, at most ``limit``."""
        statement = select(*COLUMNS).where(snapshots.c.state == "sealed", snapshots.c.volume == volume)
        return self._rows(statement.order_by(*NEWEST_FIRST).limit(limit))

    def open_of(self, volume: str) -> list[SnapshotRow]:
        """The snapshots of a volume that a run has begun and none has sealed, newest first."""
        statement = select(*COLUMNS).where(snapshots.c.state == "open", snapshots.c.volume == volume)
        return self._rows(statement.order_by(*NEWEST_FIRST))

    def last_of(self, volume: str) -> SnapshotRow | None:
        """The newest complete snapshot of a volume."""
        statement = select(*COLUMNS).where(snapshots.c.state == "sealed", snapshots.c.volume == volume)
        return next(iter(self._rows(statement.order_by(*NEWEST_FIRST).limit(1))), None)

    def get(self, snapshot_id: str) -> SnapshotRow:
        """The snapshot with this whole id, in any state; an unknown one raises CatalogError."""
        statement = select(*COLUMNS).where(snapshots.c.snapshot_key == self._database.snapshot_key(snapshot_id))
        return self._rows(statement)[0]

    def pools(self) -> set[str]:
        """The pools that hold sealed snapshots."""
        rows = self._database.read(select(snapshots.c.pool_id).where(snapshots.c.state == "sealed").distinct())
        return {row.pool_id for row in rows}

    def find(
        self,
        name: str,
        state: SnapshotState = "sealed",
        *,
        volume: str = "",
        pools: Collection[str] | None = None,
    ) -> SnapshotRow:
        """The snapshot that a person means by a name (:func:`producer.catalog.tables.snapshots.names.parse_name`).

        ``volume``: the one that ``latest`` means without one; else it means something only where there is just one.
        ``pools``: a name by time means a snapshot in these.  Raises UsageError when the name is none, or fits no
        snapshot or several.
        """
        return find(
            self._rows,
            name,
            state,
            volume=volume,
            pools=pools,
            volumes=lambda: self.volumes(pools=pools, state=state),
        )

    def _rows(self, statement: Select[Any]) -> list[SnapshotRow]:
        return [snapshot_row(row) for row in self._database.read(statement)]

    def _change_open(self, snapshot_id: str, **values: Any) -> None:
        where = (snapshots.c.snapshot_id == snapshot_id, snapshots.c.state == "open")
        if not self._database.write(update(snapshots).where(*where).values(**values)):
            raise CatalogError(f"snapshot {snapshot_id} is not open")

    def _stored_sums(self, snapshot_id: str) -> StoredSums:
        """Raises CatalogError while a segment is still to be stored."""
        stored = segments.c.state == "stored"
        statement = select(
            func.count(case((segments.c.state.in_(("planned", "fed", "failed")), 1))).label("missing_count"),
            func.count(case((stored, 1))).label("stored_count"),
            func.sum(case((stored, segments.c.bytes_stored), else_=0)).label("bytes_stored"),
        ).where(segments.c.snapshot_key == self._database.snapshot_key(snapshot_id))
        row = self._database.read(statement)[0]
        if row.missing_count:
            raise CatalogError(f"snapshot {snapshot_id} cannot be sealed: {row.missing_count} segments are not stored")
        # PostgreSQL sums whole numbers as decimals; the sum of no rows is NULL.
        return StoredSums(segments_count=row.stored_count, bytes_stored=int(row.bytes_stored or 0))


@cache
def _newest_of_each_volume() -> Select[Any]:
    remembered = snapshots.c.state != "forgotten"
    by_making = select(func.max(snapshots.c.position)).where(remembered).group_by(snapshots.c.volume)
    last = select(snapshots.c.volume, func.max(snapshots.c.planned_at).label("at"))
    planned = last.where(remembered).group_by(snapshots.c.volume).subquery()
    is_last = and_(remembered, snapshots.c.volume == planned.c.volume, snapshots.c.planned_at == planned.c.at)
    by_plan = select(snapshots.c.position).join(planned, is_last)
    return select(*COLUMNS).where(snapshots.c.position.in_(by_making.union(by_plan))).order_by(*NEWEST_FIRST)
