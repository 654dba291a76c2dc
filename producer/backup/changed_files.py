"""Do the segments of one large file show the same file?

Segments of a file are read at different times, by different workers.  Each receipt says how the file was when its
segment had been read (size, mtime, ctime); where two receipts disagree, the file changed in between, and is
stored again (docs/faults.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field

from producer.backup.storing.state.state import BackupState
from producer.catalog.catalog import Catalog
from producer.catalog.columns import JsonObject
from producer.catalog.tables.segments.rows import NewSegment, SegmentRow
from producer.catalog.tables.troubles import TroubleRow
from producer.observer import Trouble
from producer.pool.storing.ids import segment_id
from producer.run.session import RunSession
from tasks.sources.mtimes import is_same_time

#: A file that changes again during each of this many further tries never holds still.
_AGAIN_COUNT = 2


def store_changed_again(session: RunSession, state: BackupState, store: Callable[[], None]) -> None:
    """Store again, by ``store``, the files whose segments disagree, twice at most."""
    for _ in range(_AGAIN_COUNT):
        changed_count = _plan_again(session.catalog, state)
        if not changed_count:
            break
        session.observer.note(f"files that changed between two of their segments and are stored again: {changed_count}")
        store()


def record_restless_files(session: RunSession, snapshot_id: str) -> None:
    """Record and report the files whose segments still disagree, or that grew."""
    catalog = session.catalog
    restless = _restless_files(catalog, snapshot_id)
    with catalog.transaction():
        catalog.troubles.clear_entries(
            snapshot_id, [row.entry_index for row in restless if row.entry_index is not None]
        )
        catalog.troubles.add(snapshot_id, restless)
    for row in restless:
        session.observer.trouble(Trouble(code=row.code, message=row.message, path=row.path))


def are_of_one_file(states: Sequence[JsonObject]) -> bool:
    """Whether all of these states may be of one file that was not written in between.

    Workers may read it through file systems whose clocks differ in grain: all times must be the latest one, or that one
    rounded down.
    """
    # Some file systems do not show when a file was changed.
    times_ns = ([state[name] for state in states if state[name] is not None] for name in ("mtime_ns", "ctime_ns"))
    is_same_size = len({state["size_bytes"] for state in states}) == 1
    return is_same_size and all(is_same_time(time_ns, max(column)) for column in times_ns for time_ns in column)


class _Seen(Struct):
    """The stored pieces of one file, and the states in which they saw it."""

    rows: list[SegmentRow] = field(default_factory=list)
    states: list[JsonObject] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return are_of_one_file(self.states)

    @property
    def end_bytes(self) -> int:
        """How far the pieces reach: the size that the walk saw, or less if the end of a raw volume is not in use."""
        return max(row.offset_bytes + row.size_bytes for row in self.rows)


def _seen_files(rows: Iterable[SegmentRow]) -> dict[int, _Seen]:
    """Entry index → what was seen of it, for files that have segments of their own."""
    seen: dict[int, _Seen] = {}
    for row in rows:
        if row.stop_entry - row.first_entry == 1 and row.file_state is not None:
            file = seen.setdefault(row.first_entry, _Seen())
            file.rows.append(row)
            file.states.append(row.file_state)
    return seen


def _plan_again(catalog: Catalog, state: BackupState) -> int:
    """Plan the files again whose segments disagree; returns how many there are.

    The new segments have numbers of their own, so that what is on the devices is not taken for them.
    """
    snapshot_id = state.snapshot_id
    changed = [file for file in _seen_files(catalog.segments.settled(snapshot_id)).values() if not file.agrees]
    store_anew(catalog, state, [row for file in changed for row in file.rows])
    return len(changed)


def store_anew(catalog: Catalog, state: BackupState, rows: Sequence[SegmentRow]) -> None:
    """Plan other segments in the place of these stored ones, whose files are to be read again."""
    if not rows:
        return
    with catalog.transaction():
        state.supersede(rows)
        entries = {entry for row in rows for entry in range(row.first_entry, row.stop_entry)}
        catalog.troubles.clear_entries(state.snapshot_id, sorted(entries))
        first_number = catalog.segments.next_number(state.snapshot_id)
        state.assign([_again(row, first_number + place, state) for place, row in enumerate(rows)])


def _again(row: SegmentRow, number: int, state: BackupState) -> NewSegment:
    """The same piece with another number, for the same device, or the least-filled one when that is gone."""
    names = [member.name for member in state.live]
    device = row.device if row.device in names else min(names, key=lambda name: (state.load_bytes(name), name))
    return NewSegment(
        number=number,
        segment_id=segment_id(row.snapshot_id, number, row.first_entry, row.stop_entry, row.offset_bytes),
        device=device,
        first_entry=row.first_entry,
        stop_entry=row.stop_entry,
        offset_bytes=row.offset_bytes,
        size_bytes=row.size_bytes,
    )


def _restless_files(catalog: Catalog, snapshot_id: str) -> list[TroubleRow]:
    """The large files that never held still, or that have another size than the walk saw; for the record."""
    reader = catalog.listing.reader(snapshot_id)
    sources = {source.name: source.path for source in catalog.snapshots.get(snapshot_id).sources}
    found = []
    for index, file in _seen_files(catalog.segments.settled(snapshot_id)).items():
        size_bytes = file.states[0]["size_bytes"]
        if file.agrees and size_bytes <= file.end_bytes:
            # The usual case, without the listing: each part takes 20 ms to decode, and all wait for the end of the run.
            continue
        entry = reader.entry(index)
        path = f"{sources[entry.source]}/{entry.path}".rstrip("/")
        if not file.agrees:
            message = "it changed each time it was read; its parts are from different times"
        elif size_bytes > entry.size_bytes:
            message = f"it grew from {entry.size_bytes} to {size_bytes} bytes after the walk; its beginning is stored"
        else:
            continue
        found.append(TroubleRow(entry_index=index, path=path, code="changed", message=message))
    return found
