"""What changes the state of segments: feeding, receipts, and new plans for what is not stored.

::

    planned → fed → stored, or unchanged, when nothing of it had to be stored
       ↑       ↓
       └──── failed           superseded: replaced by other segments, from any state

    stored → planned, when its device is gone and another one is to store it again
    planned → omitted, when the snapshot is sealed without it

A receipt counts once, whatever the order of repeats and delays: each change names, in its WHERE, the
states that it may leave, and says whether it happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice

from msgspec import Struct
from sqlalchemy import ColumnElement, Update, bindparam, case, delete, insert, select, update

from producer.catalog.columns import JsonObject
from producer.catalog.database.database import Database
from producer.catalog.schema import attempts, segments
from producer.catalog.tables.objects import Objects, StoredObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing.places.stored_cells import IndexRanges

#: Numbers in one IN list; SQLite takes 32,766 parameters at most.
_LIST_ROWS = 1000

#: Built once: for the most frequent statement, building it again takes four times as long as running it.
_STORE = update(segments).where(
    segments.c.snapshot_key == bindparam("of_snapshot"),
    segments.c.number == bindparam("of_number"),
    segments.c.state.not_in(("stored", "unchanged", "superseded")),
)

#: What a segment has only while a device holds it.  The layout and the extents' digests are too large to be read with
#: every row, so they stay until another receipt replaces them, and :meth:`Transitions.put_back` need not know them.
_NOT_STORED = {
    "device_id": None,
    "bytes_stored": 0,
    "notes": None,
    "file_state": None,
    "timing": None,
    "stored_as": None,
    "cell_digests": None,
    "unchanged": None,
    "unchanged_bytes": 0,
}


class AttemptRow(Struct, frozen=True, kw_only=True):
    """One failed try of a segment.  ``reason`` is a :class:`tasks.errors.Reason`."""

    number: int
    attempt: int
    device: str
    outcome: str
    reason: str
    message: str
    at: datetime


class Transitions:
    def __init__(self, database: Database, objects: Objects) -> None:
        self._database = database
        self._objects = objects

    def mark_fed(self, snapshot_id: str, numbers: Iterable[int], device: str, epoch: int) -> int:
        """Planned segments are now on their way to a device; returns how many were planned and so changed."""
        values = {"state": "fed", "device": device, "epoch": epoch, "fed_at": datetime.now(UTC)}
        return self._change(snapshot_id, numbers, ("planned",), update(segments).values(values))

    def record_stored(
        self,
        snapshot_id: str,
        number: int,
        *,
        device: str,
        device_id: str,
        epoch: int,
        bytes_stored: int,
        object_id: str,
        trailer_digest: bytes | None,
        notes: Sequence[JsonObject] = (),
        file_state: JsonObject | None = None,
        timing: JsonObject | None = None,
        extent_digests: bytes | None = None,
        cell_digests: bytes | None = None,
        layout: bytes | None = None,
        unchanged: IndexRanges = (),
        unchanged_bytes: int = 0,
    ) -> bool:
        """A device holds the segment as this object, but for the extents that are ``unchanged``.

        True: counted now, and in the index; False: nothing has changed, for it was stored (or superseded) before: the
        first receipt decides which object counts.

        Without a trailer's digest there is no object: nothing of the segment had to be stored.  Counts from every
        other state: a late receipt is as true as one in time.  Whether to believe a receipt of an older epoch is the
        manager's decision.
        """
        is_there = trailer_digest is not None
        values = {
            "state": "stored" if is_there else "unchanged",
            "device": device,
            "device_id": device_id if is_there else None,
            "epoch": epoch,
            "bytes_stored": bytes_stored,
            "notes": list(notes) or None,
            "file_state": file_state,
            "timing": timing,
            "extent_digests": extent_digests,
            "cell_digests": cell_digests,
            "layout": layout,
            "unchanged": [list(one) for one in unchanged] or None,
            "unchanged_bytes": unchanged_bytes,
        }
        of = {"of_snapshot": self._database.snapshot_key(snapshot_id), "of_number": number}
        with self._database.transaction():
            if not self._database.write(_STORE, {**of, **values}):
                return False
            if trailer_digest is not None:
                self._objects.add_stored(snapshot_id, number, object_id, trailer_digest)
            return True

    def record_healed(
        self,
        snapshot_id: str,
        number: int,
        *,
        device: str,
        epoch: int,
        timing: JsonObject | None,
        stored: StoredObject | None,
    ) -> bool:
        """A device holds ranges of an earlier segment again, as this object; None: no file has any of them as it was.

        True: counted now, and in the index.
        """
        values = {
            "state": "unchanged" if stored is None else "stored",
            "device": device,
            "device_id": None if stored is None else stored.device_id,
            "epoch": epoch,
            "bytes_stored": 0 if stored is None else stored.bytes_stored,
            "timing": timing,
        }
        of = {"of_snapshot": self._database.snapshot_key(snapshot_id), "of_number": number}
        with self._database.transaction():
            if not self._database.write(_STORE, {**of, **values}):
                return False
            if stored is not None:
                self._objects.add(stored)
            return True

    def drop_healing(self, snapshot_id: str) -> None:
        """Drop the segments that were to heal others and are not stored."""
        key = self._database.snapshot_key(snapshot_id)
        dropped = (
            segments.c.snapshot_key == key,
            segments.c.stored_as.is_not(None),
            segments.c.state.in_(("planned", "fed", "failed")),
        )
        numbers = select(segments.c.number).where(*dropped)
        with self._database.transaction():
            self._database.write(delete(attempts).where(attempts.c.snapshot_key == key, attempts.c.number.in_(numbers)))
            self._database.write(delete(segments).where(*dropped))

    def record_failed(
        self, snapshot_id: str, number: int, *, device: str, epoch: int, attempt: int, reason: str, message: str
    ) -> bool:
        """A try has failed: it goes into the history, and the segment waits for replan, with a higher attempt.

        False, and nothing changed, unless exactly this try is under way: a repeated receipt, or a late
        one from a device that the segment was taken from, does not disturb the newer try.
        """
        this_try = (segments.c.device == device, segments.c.epoch == epoch, segments.c.attempt == attempt)
        statement = update(segments).where(*this_try)
        values = {"state": "failed", "attempt": attempt + 1, "last_error": message}
        row = {"device": device, "outcome": "failed", "reason": reason, "message": message, "at": datetime.now(UTC)}
        with self._database.transaction():
            if not self._change(snapshot_id, [number], ("fed",), statement.values(values)):
                return False
            key = self._database.snapshot_key(snapshot_id)
            self._database.write(insert(attempts).values(snapshot_key=key, number=number, attempt=attempt, **row))
            return True

    def replan(self, snapshot_id: str, numbers: Iterable[int], device: str) -> int:
        """Give segments that are not stored to a device, to be fed (again); returns how many there were."""
        moved = case((segments.c.device != device, 1), else_=0)
        values = {"state": "planned", "rerouted_count": segments.c.rerouted_count + moved, "device": device}
        statement = update(segments).values(values)
        return self._change(snapshot_id, numbers, ("planned", "fed", "failed"), statement)

    def plan_again(self, snapshot_id: str, numbers: Iterable[int], device: str) -> int:
        """Give segments that lie on a device which is gone to another one, to be fed; returns how many there were."""
        values = {"state": "planned", "device": device, "rerouted_count": segments.c.rerouted_count + 1, **_NOT_STORED}
        return self._change(snapshot_id, numbers, ("stored",), update(segments).values(values))

    def put_back(self, snapshot_id: str, row: SegmentRow) -> bool:
        """Undo :meth:`plan_again` for a segment that is not stored again; ``row`` is what it was, but for its tries."""
        before = ("state", "device", "epoch", "rerouted_count", "fed_at", "last_error", *_NOT_STORED)
        values = {name: getattr(row, name) for name in before if name != "stored_as"}
        values["notes"] = row.notes or None
        values["unchanged"] = [list(one) for one in row.unchanged] or None
        statement = update(segments).values(values)
        return self._change(snapshot_id, [row.number], ("planned", "fed", "failed"), statement) == 1

    def supersede(self, snapshot_id: str, numbers: Iterable[int]) -> int:
        """Other segments take the place of these, stored or not; what a device holds of them is waste."""
        statement = update(segments).values(state="superseded")
        return self._change(snapshot_id, numbers, ("planned", "fed", "failed", "stored", "unchanged"), statement)

    def omit(self, snapshot_id: str, numbers: Iterable[int]) -> int:
        """Leave segments that no device has stored out of the snapshot; returns how many there were."""
        statement = update(segments).values(state="omitted", extent_digests=None, **_NOT_STORED)
        return self._change(snapshot_id, numbers, ("planned", "fed", "failed"), statement)

    def reopen(self, snapshot_id: str) -> None:
        """Plan again what was on its way, has failed or was left out, with all its tries before it."""
        key = self._database.snapshot_key(snapshot_id)
        reopened = (segments.c.snapshot_key == key, segments.c.state.in_(("fed", "failed", "omitted")))
        numbers = select(segments.c.number).where(*reopened)
        with self._database.transaction():
            self._database.write(delete(attempts).where(attempts.c.snapshot_key == key, attempts.c.number.in_(numbers)))
            self._database.write(update(segments).where(*reopened).values(state="planned", attempt=1))

    def keep(self, snapshot_id: str, kept: Iterable[tuple[int, int, int]]) -> None:
        """Keep the segments (number, first entry, stop entry), at their new entries; supersede all others."""
        key = self._database.snapshot_key(snapshot_id)
        values = [{"kept": number, "first": first, "stop": stop} for number, first, stop in kept]
        supersede = update(segments).where(segments.c.snapshot_key == key, segments.c.number == bindparam("other"))
        move = update(segments).where(segments.c.snapshot_key == key, segments.c.number == bindparam("kept"))
        with self._database.transaction():
            valid = select(segments.c.number).where(segments.c.snapshot_key == key, segments.c.state != "superseded")
            numbers = {row.number for row in self._database.read(valid)} - {value["kept"] for value in values}
            if numbers:
                others = [{"other": number} for number in sorted(numbers)]
                self._database.write(supersede.values(state="superseded"), others)
            if values:
                self._database.write(move.values(first_entry=bindparam("first"), stop_entry=bindparam("stop")), values)

    def attempts(self, snapshot_id: str) -> list[AttemptRow]:
        """The failed tries of a snapshot's segments, in order of number and attempt."""
        columns = [column for column in attempts.c if column.name != "snapshot_key"]
        statement = select(*columns).where(attempts.c.snapshot_key == self._database.snapshot_key(snapshot_id))
        rows = self._database.read(statement.order_by(attempts.c.number, attempts.c.attempt))
        return [AttemptRow(**row._asdict()) for row in rows]

    def _within(self, snapshot_id: str) -> ColumnElement[bool]:
        return segments.c.snapshot_key == self._database.snapshot_key(snapshot_id)

    def _change(self, snapshot_id: str, numbers: Iterable[int], states: tuple[str, ...], statement: Update) -> int:
        """Apply ``statement`` to those segments that are in one of ``states``, in one transaction."""
        of_snapshot = statement.where(self._within(snapshot_id), segments.c.state.in_(states))
        pending, changed_count = iter(numbers), 0
        with self._database.transaction():
            while page := list(islice(pending, _LIST_ROWS)):
                changed_count += self._database.write(of_snapshot.where(segments.c.number.in_(page)))
        return changed_count
