"""Finds the groups again of which devices hold parity."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from producer.catalog.catalog import Catalog
from producer.catalog.tables.parity import ParityGroup, ParityMember, ParityRow
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order
from tasks.orders.parity import FoundParity, ListParity
from tasks.receipts import Receipt


def find_groups(session: RunSession, ready: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Record the groups that the catalog does not know, and rows that it found on no device; returns how many groups.

    ``ready``: device → its id.  Call once the index is in the catalog.  A row that no device has is to be written
    again.
    """
    found: defaultdict[str, dict[int, tuple[str, FoundParity]]] = defaultdict(dict)
    folders: dict[str, tuple[str, ...]] = {}

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            tell(f"device {order.device}: {receipt.failure.message}; its parity was not read")
            return
        if receipt.result.digits:
            folders[order.device] = receipt.result.digits
        for row in receipt.result.rows:
            found[row.group_id].setdefault(row.row, (order.device_id, row))
        if receipt.result.damaged_count:
            tell(f"device {order.device}: {receipt.result.damaged_count} files of parity are damaged")

    def orders(device: str, folders: Iterable[str]) -> Iterator[Order]:
        for digits in folders:
            fields = session.order_fields(device, device_id=ready[device])
            yield ListParity(order_id=uuid.uuid4().hex, digits=digits, **fields)

    died = run_wave(session, {device: orders(device, [""]) for device in ready}, take)
    died |= run_wave(session, {device: orders(device, digits) for device, digits in folders.items()}, take)
    for device, why in died.items():
        tell(f"device {device}: {why}; its parity was not read")
    catalog = session.catalog
    known = {group.group_id: group for group in catalog.parity.groups()}
    for group_id in known.keys() & found.keys():
        _complete(catalog, known[group_id], found[group_id])
    new = [_group(catalog, rows) for group_id, rows in sorted(found.items()) if group_id not in known]
    catalog.parity.add(new)
    return len(new)


def _complete(catalog: Catalog, group: ParityGroup, rows: Mapping[int, tuple[str, FoundParity]]) -> None:
    """Rows that no device had when the catalog learned of the group."""
    for number, row in enumerate(group.rows):
        if not row.device_id and number in rows:
            device_id, found = rows[number]
            catalog.parity.move_row(group.group_id, number, device_id)
            catalog.parity.set_row(group.group_id, number, found.stored_bytes, bytes.fromhex(found.digest))


def _group(catalog: Catalog, rows: Mapping[int, tuple[str, FoundParity]]) -> ParityGroup:
    _, first = next(iter(rows.values()))
    segments = catalog.objects.segments_of(one.object_id for one in first.members)
    return ParityGroup(
        group_id=first.group_id,
        members=tuple(
            ParityMember(
                object_id=one.object_id,
                segment_id=segments.get(one.object_id, ""),
                bytes_stored=one.stored_bytes,
                trailer_digest=bytes.fromhex(one.trailer_digest),
            )
            for one in first.members
        ),
        rows=tuple(
            _row(rows[number]) if number in rows else ParityRow(device_id="") for number in range(first.rows_count)
        ),
    )


def _row(found: tuple[str, FoundParity]) -> ParityRow:
    device_id, row = found
    return ParityRow(device_id=device_id, bytes_stored=row.stored_bytes, digest=bytes.fromhex(row.digest))
