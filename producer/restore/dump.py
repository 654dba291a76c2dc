"""A dump: the bytes of one file or raw volume of a snapshot, in order, to an open file.

The pieces are fetched in turn, a few at a time (:mod:`producer.restore.reading`), so a dump needs space for
a few pieces only, however large the whole is.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing import Entry
from producer.listing.data_ranges import data_before
from producer.observer import Observer
from producer.pool.manifests.unknown_snapshots import find_snapshot
from producer.pool.present import present_devices
from producer.raw.ranges import Range, gaps, merged
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.outcome.holes import Hole
from producer.restore.planning.plan import RestorePlan
from producer.restore.planning.selection import Selection
from producer.restore.reading.fetches import Fetch, Fetches
from producer.restore.reading.ways import Piece, Spool, zeros
from producer.restore.reading.without_holes import Out, WithHoles
from producer.run.environment import Environment
from producer.run.session import RunNeeds, RunSession, open_session
from producer.run.threads import default_threads
from tasks.errors import DamagedError, UsageError

#: Pieces that are fetched at the same time.
_AHEAD_COUNT = 4


def dump(request: RestoreRequest, out: Out, observer: Observer, environment: Environment) -> int:
    """Write what ``request.path`` names (a file, or a raw volume) to ``out``; returns how many bytes.

    A dump is complete or fails: raises DamagedError before the first byte when the backup could not read all of the
    file, UsageError for anything but a file, and SegfleetError at the first byte that is lost.
    """
    with (
        tempfile.TemporaryDirectory(prefix="segfleet-dump-") as spool,
        open_session(
            RunNeeds(devices=request.devices, targets={UNNAMED_TARGET: Path(spool)}, purpose="dump"),
            observer,
            environment,
        ) as session,
    ):
        return _Dump(session, request, Path(spool), out).run()


class _Dump:
    def __init__(self, session: RunSession, request: RestoreRequest, spool: Path, out: Out) -> None:
        self._session = session
        self._request = request
        self._out = out
        self._snapshot = find_snapshot(session, request.snapshot)
        session.begin_reading([self._snapshot.snapshot_id])
        threads = request.threads or default_threads(len(request.devices))
        self._fetches = Fetches(session, present_devices(session, [self._snapshot]), Spool(spool, threads=threads))

    def run(self) -> int:
        pieces, data_bytes, size_bytes = self._pieces(self._snapshot)
        position, ahead = 0, deque[Fetch]()
        for piece in pieces:
            ahead.append(self._fetches.begin(piece))
            if len(ahead) > _AHEAD_COUNT:
                position = self._pass_on(ahead.popleft(), position)
        for fetch in ahead:
            position = self._pass_on(fetch, position)
        self._write(zeros(data_bytes - position))
        self._out.flush()
        return size_bytes

    def _pass_on(self, fetch: Fetch, position: int) -> int:
        """Write the bytes of a piece, and zeros before them; returns where it ends."""
        self._write(zeros(fetch.piece.offset_bytes - position))
        self._write(self._fetches.read(fetch))
        return fetch.piece.stop_bytes

    def _pieces(self, snapshot: SnapshotRow) -> tuple[list[Piece], int, int]:
        """The pieces of the file's data, by offset; the size of the data; and that of the file."""
        entry, plan = self._file_meant(snapshot)
        size_bytes = entry.size_bytes
        ranges = [(0, size_bytes)] if entry.data_ranges is None else entry.data_ranges
        data_bytes = data_before(ranges, size_bytes)
        self._out = WithHoles(self._out, ranges, size_bytes)
        whole = [
            Piece(
                object=stored,
                stream_offset_bytes=held.stream_offset_bytes,
                offset_bytes=place.offset_bytes + held.offset_bytes,
                size_bytes=held.size_bytes,
            )
            for stored, held, place in plan.places_of(entry)
        ]
        unread = plan.wanted.unread.get(entry.index)
        holes = unread.holes if unread is not None else _holes_between(whole, data_bytes)
        if holes and (unread is not None or not _is_raw_volume(entry, snapshot)):
            raise DamagedError(f"{self._request.path!r} is not whole: {holes[0]}")
        pieces = [part for piece in whole for part in piece.cut(self._fetches.limit_bytes(piece))]
        return sorted(pieces, key=lambda piece: piece.offset_bytes), data_bytes, size_bytes

    def _file_meant(self, snapshot: SnapshotRow) -> tuple[Entry, RestorePlan]:
        """The file or raw volume that the request names, possibly under another of its hard links."""
        entry, plan = self._find(snapshot, self._request.path)
        if entry.kind == "hardlink":
            entry, plan = self._find(snapshot, entry.link)
        if entry.kind != "file":
            raise UsageError(
                f"{self._request.path!r} is not a file but a {entry.kind}", hint="name one file, or use restore"
            )
        return entry, plan

    def _find(self, snapshot: SnapshotRow, path: str) -> tuple[Entry, RestorePlan]:
        plan = RestorePlan(self._session.catalog, snapshot, Selection.of(path, (), ()))
        plan.prefer(self._fetches.present)
        return plan.first_entry(), plan

    def _write(self, parts: Iterable[bytes]) -> None:
        for data in parts:
            self._out.write(data)


def _is_raw_volume(entry: Entry, snapshot: SnapshotRow) -> bool:
    return any(source.name == entry.source and source.mode == "raw" for source in snapshot.sources)


def _holes_between(pieces: Iterable[Piece], size_bytes: int) -> list[Hole]:
    """The parts of [0, size) that no piece holds: zeros of a raw volume, lost bytes of a file."""
    covered = merged(Range(piece.offset_bytes, piece.stop_bytes) for piece in pieces)
    return [
        Hole(offset_bytes=gap.start, size_bytes=gap.size_bytes, why="no segment holds them")
        for gap in gaps(covered, size_bytes)
    ]
