"""Asks devices whether the parity that the catalog knows is there and whole."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping

from msgspec import Struct, field

from producer.catalog.tables.parity import ParityRow
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order, VerifySegments
from tasks.receipts import Receipt

#: With data a row takes as long as the longest object of its group.
_STRUCTURE_COUNT = 64


class CheckedParity(Struct, kw_only=True):
    """``damage``: what is wrong, in words.  ``died``: device → why."""

    damage: list[str] = field(default_factory=list)
    died: dict[str, str] = field(default_factory=dict)
    bytes_read: int = 0


def verify_parity(
    session: RunSession, present: Mapping[str, str], *, read_data: bool, only_size: bool = False
) -> CheckedParity:
    """Look at each row that lies on a device that is there; one that is not whole no longer counts.

    The next backup, or a repair, writes it again.  ``present``: device id → name.
    """
    rows, numbers = defaultdict[str, dict[str, ParityRow]](dict), dict[tuple[str, str], int]()
    for group in session.catalog.parity.groups():
        for number, row in enumerate(group.rows):
            if row.digest is not None and row.device_id in present:
                rows[present[row.device_id]][group.group_id] = row
                numbers[group.group_id, row.device_id] = number
    found = CheckedParity()

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            found.damage.append(f"parity on device {order.device} was not looked at: {receipt.failure.message}")
            return
        found.bytes_read += receipt.result.bytes_read
        for finding in receipt.result.findings:
            found.damage.append(f"parity {finding.object_id} on device {order.device}: {finding.message}")
            if not session.catalog.why_read_only:
                number = numbers[finding.object_id, order.device_id]
                session.catalog.parity.set_row(finding.object_id, number, 0, None)

    def orders(device: str) -> Iterator[Order]:
        mine = [(group_id, row) for group_id, row in rows[device].items() if row.digest is not None]
        count = 1 if read_data else _STRUCTURE_COUNT
        for start in range(0, len(mine), count):
            page = mine[start : start + count]
            yield VerifySegments(
                order_id=uuid.uuid4().hex,
                object_ids=tuple(group_id for group_id, _ in page),
                stored_bytes=tuple(row.bytes_stored for _, row in page),
                trailer_digests=tuple((row.digest or b"").hex() for _, row in page),
                read_data=read_data,
                only_size=only_size,
                of_groups=True,
                **session.order_fields(device, device_id=page[0][1].device_id),
            )

    found.died = run_wave(session, {device: orders(device) for device in rows}, take)
    return found
