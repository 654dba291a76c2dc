"""What a device has stored and has no more: it was emptied, or an older copy of it stands in its place."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator

from producer.backup.storing.state.state import BackupState
from producer.catalog.tables.segments.rows import SegmentRow
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order, VerifySegments
from tasks.receipts import Receipt

#: A worker looks at some 10,000 a second.
_SEGMENTS_COUNT = 1024


def find_missing(session: RunSession, state: BackupState, lose: Callable[[str, str], None]) -> set[int]:
    """The numbers of the segments that are on no device, though it is there.

    Only looks for each file and its size.  ``lose`` (device, why) gets the devices that cannot answer.
    """
    rows = _rows_by_device(session, state)
    found: set[int] = set()
    failed: dict[str, str] = {}

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failed[order.device] = receipt.failure.message
            return
        wrong = {finding.segment_id for finding in receipt.result.findings}
        found.update(row.number for row in rows[order.device] if row.segment_id in wrong)

    for device in rows.keys() - set(session.courier.live):
        # One that is full has no worker any more.
        session.courier.bring_back(device)
    died = run_wave(session, {device: _orders(session, state, device, rows[device]) for device in rows}, take)
    for device, why in (died | failed).items():
        lose(device, why)
    for device in rows:
        if state.members[device].state == "full":
            session.courier.drop(device)
    return found


def _rows_by_device(session: RunSession, state: BackupState) -> dict[str, list[SegmentRow]]:
    names = {one.device_id: one.name for one in state.members.values() if one.state in ("live", "full")}
    rows: defaultdict[str, list[SegmentRow]] = defaultdict(list)
    for row in session.catalog.segments.stored(state.snapshot_id):
        if row.device_id in names:
            rows[names[row.device_id]].append(row)
    return rows


def _orders(session: RunSession, state: BackupState, device: str, rows: list[SegmentRow]) -> Iterator[VerifySegments]:
    member = state.members[device]
    for start in range(0, len(rows), _SEGMENTS_COUNT):
        batch = rows[start : start + _SEGMENTS_COUNT]
        yield VerifySegments(
            order_id=uuid.uuid4().hex,
            segment_ids=tuple(row.segment_id for row in batch),
            stored_bytes=tuple(row.bytes_stored for row in batch),
            trailer_digests=tuple(row.proof for row in batch),
            read_data=False,
            only_size=True,
            **session.order_fields(device, device_id=member.device_id, epoch=member.epoch),
        )
