"""Records store receipts in the catalog.  A receipt that comes twice counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from producer.backup.storing.healing import Healing
from producer.backup.storing.state.in_flight import InFlight
from producer.backup.storing.state.state import BackupState
from producer.backup.storing.vanished import Vanished, vanished_count
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.troubles import TroubleRow
from producer.observer import Trouble
from producer.run.session import RunSession
from tasks.errors import Reason
from tasks.orders import StoreSegment
from tasks.receipts import UNREAD, ExtentNote, Failure, Receipt


class Failed(Struct, frozen=True, kw_only=True):
    """A failed try of a segment; what follows is decided in :mod:`producer.backup.storing.failing.failures`."""

    row: SegmentRow
    receipt: Receipt
    #: Whether another device is to try at once: nothing is wrong with this one.
    elsewhere: bool = False

    @property
    def failure(self) -> Failure:
        assert self.receipt.failure is not None
        return self.receipt.failure


class Recorder:
    """Writes what has been stored, and the troubles met on the way, in one transaction for each batch."""

    def __init__(self, session: RunSession, state: BackupState, sources: Mapping[str, Path]) -> None:
        self._session = session
        self._state = state
        self._sources = sources
        self._vanished = Vanished(session, state)
        self._healing = Healing(session.catalog, state)

    def record(self, answered: Sequence[tuple[StoreSegment, Receipt]]) -> list[Failed]:
        """Record the stored segments; returns the failed ones, whose failure is in the catalog already."""
        failed = []
        with self._session.catalog.transaction():
            for order, receipt in answered:
                segment = self._state.take(order.order_id)
                assert segment is not None
                if receipt.failure is None:
                    failed += self._settle(segment, order, receipt)
                elif self._record_failed(segment.row, receipt):
                    failed.append(Failed(row=segment.row, receipt=receipt))
        return failed

    def _settle(self, segment: InFlight, order: StoreSegment, receipt: Receipt) -> list[Failed]:
        """Record a stored segment, unless another device is to look for its files first."""
        settled = self._vanished.settle(segment.row, receipt)
        if settled is not None:
            self._record_stored(segment, order, settled)
            return []
        message = f"{vanished_count(receipt)} of its files are missing here; another worker looks for them"
        failure = Failure(reason=Reason.SOURCE, code="vanished", message=message)
        retried = replace(receipt, result=None, failure=failure)
        if not self._record_failed(segment.row, retried):
            return []
        return [Failed(row=segment.row, receipt=retried, elsewhere=True)]

    def _record_stored(self, segment: InFlight, order: StoreSegment, receipt: Receipt) -> None:
        if segment.row.heals:
            self._healing.record(segment.row, order, segment.entries, receipt)
            return
        displaced = self._state.displaced.get(segment.row.number)
        if displaced is not None and _has_nothing(order, receipt) and len(displaced.notes) < len(order.extents):
            # The sources have vanished since it was stored on a device that is gone; that device may come back.
            self._state.keep(segment.row.number)
            return
        if self._state.stored(segment.row, order, receipt):
            before = self._state.displaced.pop(segment.row.number, None)
            if before is not None and before.notes:
                entries = range(before.first_entry, before.stop_entry)
                self._session.catalog.troubles.clear_entries(self._state.snapshot_id, entries)
            self._record_notes(order, segment.entries, receipt.result.notes)

    def _record_failed(self, row: SegmentRow, receipt: Receipt) -> bool:
        assert receipt.failure is not None
        return self._session.catalog.transitions.record_failed(
            self._state.snapshot_id,
            row.number,
            device=receipt.device,
            epoch=receipt.epoch,
            attempt=receipt.attempt,
            reason=receipt.failure.reason,
            message=receipt.failure.message,
        )

    def _record_notes(self, order: StoreSegment, entries: Sequence[int], notes: Sequence[ExtentNote]) -> None:
        rows = []
        # A file with holes has several extents, and is one trouble.
        of_files = {entries[note.index]: note for note in reversed(notes)}
        for note in sorted(of_files.values(), key=lambda note: note.index):
            path = str(self._sources[order.source] / order.extents.paths[note.index])
            rows.append(TroubleRow(entry_index=entries[note.index], path=path, code=note.trouble, message=note.message))
            self._session.observer.trouble(Trouble(code=note.trouble, message=note.message, path=path))
        self._session.catalog.troubles.add(self._state.snapshot_id, rows)


def _has_nothing(order: StoreSegment, receipt: Receipt) -> bool:
    """Whether nothing of the segment could be read."""
    unread = [note for note in receipt.result.notes if note.trouble in UNREAD and note.read_bytes == 0]
    return len(unread) == len(order.extents)
