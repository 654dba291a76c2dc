"""Records store receipts in the catalog.  A receipt that comes twice counts once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from producer.backup.storing.feeder import Feeder
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.troubles import TroubleRow
from producer.observer import Trouble
from producer.pool.members import Member
from producer.run.session import RunSession
from tasks.orders import StoreSegment
from tasks.receipts import ExtentNote, Receipt, StoreResult
from tasks.wire import encode

#: A failed order, for the one who decides what follows.
Failed = tuple[SegmentRow, StoreSegment, Receipt]


class Recorder:
    """Writes what has been stored, and the troubles met on the way, in one transaction for each batch."""

    def __init__(
        self,
        session: RunSession,
        snapshot_id: str,
        feeder: Feeder,
        members: Mapping[str, Member],
        sources: Mapping[str, Path],
    ) -> None:
        #: By device: what this run has recorded, and what earlier runs of the snapshot had stored there before.
        self.bytes_done: dict[str, int] = dict.fromkeys(members, 0)
        self.segments_done: dict[str, int] = dict.fromkeys(members, 0)
        self.bytes_before: dict[str, int] = dict.fromkeys(members, 0)
        self.segments_before: dict[str, int] = dict.fromkeys(members, 0)
        for row in session.catalog.totals.by_state(snapshot_id):
            if row.state == "stored" and row.device in members:
                self.bytes_before[row.device] += row.bytes_source
                self.segments_before[row.device] += row.segments_count
        self._session = session
        self._snapshot_id = snapshot_id
        self._feeder = feeder
        self._members = members
        self._sources = sources

    def is_finished(self, member: Member) -> bool:
        """Whether all that the run has given to the device is stored."""
        return self.bytes_before[member.name] + self.bytes_done[member.name] >= member.load_bytes

    def record(self, answered: Sequence[tuple[StoreSegment, Receipt]]) -> list[Failed]:
        """Record the stored segments; returns the failed ones, whose failure is in the catalog already."""
        failed = []
        with self._session.catalog.transaction():
            for order, receipt in answered:
                row, entries = self._feeder.sent.pop(order.order_id)
                if receipt.failure is None:
                    self._record_stored(row, entries, order, receipt)
                elif self._record_failed(row, receipt):
                    failed.append((row, order, receipt))
        return failed

    def _record_stored(self, row: SegmentRow, entries: list[int], order: StoreSegment, receipt: Receipt) -> None:
        result: StoreResult = receipt.result
        counted = self._session.catalog.transitions.record_stored(
            self._snapshot_id,
            row.number,
            device=receipt.device,
            device_id=receipt.device_id,
            epoch=receipt.epoch,
            bytes_stored=result.bytes_stored,
            trailer_digest=bytes.fromhex(result.trailer_digest),
            notes=encode(result.notes),
            file_state=encode(result.file_state),
            timing=encode(result.timing),
            cell_digests=bytes.fromhex("".join(result.cell_digests)) or None,
        )
        self._members[receipt.device].free_bytes = result.free_bytes
        if counted:
            self.bytes_done[receipt.device] += row.size_bytes
            self.segments_done[receipt.device] += 1
            self._record_notes(order, entries, result.notes)

    def _record_failed(self, row: SegmentRow, receipt: Receipt) -> bool:
        assert receipt.failure is not None
        return self._session.catalog.transitions.record_failed(
            self._snapshot_id,
            row.number,
            device=receipt.device,
            epoch=receipt.epoch,
            attempt=receipt.attempt,
            reason=receipt.failure.reason,
            message=receipt.failure.message,
        )

    def _record_notes(self, order: StoreSegment, entries: list[int], notes: Sequence[ExtentNote]) -> None:
        rows = []
        for note in notes:
            path = str(self._sources[order.source] / order.extents.paths[note.index])
            rows.append(TroubleRow(entry_index=entries[note.index], path=path, code=note.trouble, message=note.message))
            self._session.observer.trouble(Trouble(code=note.trouble, message=note.message, path=path))
        self._session.catalog.troubles.add(self._snapshot_id, rows)
