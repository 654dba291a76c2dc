"""The flow of a stream: what is complete in the spool is planned, fed, recorded, and may leave the spool."""

from __future__ import annotations

from producer.backup.storing.least_filled import least_filled_for, least_filled_with_room
from producer.backup.storing.state.state import BackupState
from producer.backup.storing.storing import Storing
from producer.backup.streaming.command import Output
from producer.backup.streaming.reader import Piece, StreamReader
from producer.backup.streaming.spool import Spool
from producer.backup.whole.lost_holdings import is_gone, lying_on
from producer.catalog.tables.segments.rows import NewSegment
from producer.pool.storing.ids import segment_id
from producer.run.session import RunSession
from tasks.errors import DeviceError, SegfleetError, StreamError

_WAIT_S = 0.1


class Flow:
    def __init__(self, session: RunSession, state: BackupState, storing: Storing, spool: Spool) -> None:
        self._session = session
        self._state = state
        self._storing = storing
        self._spool = spool
        self._size_bytes = 0
        self._dead_count = 0

    def run(self, output: Output, segment_bytes: int) -> int:
        """Store the stream to its end; returns its length.

        Raises StreamError, SegfleetError for a segment that was given up, DeviceError when the devices take no more,
        InterruptedRun.
        """
        try:
            with StreamReader(output.descriptor, self._spool, segment_bytes) as reader:
                self._run(reader)
        finally:
            self._storing.end()
        return self._size_bytes

    def _run(self, reader: StreamReader) -> None:
        while True:
            # Before the pieces are taken, or one that comes in between would be missed.
            has_ended = reader.has_ended
            self._plan(reader.take())
            # Here, and not in the loop that stores: it would wait for what nobody can use.
            self._session.interrupt.check()
            is_idle = self._storing.turn()
            self._check_given_up()
            self._note_recorded()
            self._save_from_the_dead()
            if has_ended and is_idle:
                return
            if is_idle:
                self._check_room()
                reader.wait(_WAIT_S)

    def _plan(self, pieces: list[Piece]) -> None:
        """Give each to the then least-filled device."""
        targets = least_filled_for(
            self._session.catalog, self._state, [(piece.number, piece.size_bytes) for piece in pieces]
        )
        rows = [
            NewSegment(
                number=piece.number,
                segment_id=segment_id(self._state.snapshot_id, piece.number, 0, 1, piece.offset_bytes),
                device=targets[piece.number],
                first_entry=0,
                stop_entry=1,
                offset_bytes=piece.offset_bytes,
                size_bytes=piece.size_bytes,
            )
            for piece in pieces
        ]
        if rows:
            self._state.assign(rows)
            self._size_bytes += sum(piece.size_bytes for piece in pieces)

    def _check_given_up(self) -> None:
        for number, why in self._state.given_up.items():
            raise SegfleetError(
                f"segment {number} could not be stored: {why}",
                hint="nothing was backed up; run the backup again, from the beginning of the stream",
            )

    def _note_recorded(self) -> None:
        rows = self._session.catalog.segments.by_number(self._state.snapshot_id, self._spool.unrecorded())
        for row in rows:
            if row.state != "stored":
                continue
            if row.notes:
                raise StreamError(f"segment {row.number} could not be read from the spool: {row.notes[0]['message']}")
            self._spool.record(row.number)

    def _save_from_the_dead(self) -> None:
        """Store again what a device has died with, as long as it is in the spool."""
        dead_count = len(self._state.dead)
        if dead_count <= self._dead_count:
            self._dead_count = dead_count
            return
        self._dead_count = dead_count
        lying = [row for row in lying_on(self._session.catalog, self._state, is_gone) if row.state == "stored"]
        there = self._spool.take_back([row.number for row in lying])
        rows = [row for row in lying if row.number in there]
        targets = least_filled_with_room(self._session.catalog, self._state, rows)
        for row in rows:
            if row.number not in targets:
                self._spool.record(row.number)
        self._state.store_again(rows, targets)

    def _check_room(self) -> None:
        """Raises DeviceError when the stream waits for the spool, and the spool for a device that is dead."""
        left_over = self._state.left_over()
        if left_over and self._spool.is_full:
            raise DeviceError(
                f"device {left_over[0].device} is dead, and the others have no room for its share of the stream",
                hint="make room, or add a device, and run the backup again, from the beginning of the stream",
            )
