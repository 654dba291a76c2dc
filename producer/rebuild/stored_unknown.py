"""What lies on the devices and no index names: which objects, and what their headers say of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order
from tasks.orders.cleaning import MAX_DESCRIBED, DescribeObjects, ListObjects, ObjectContent
from tasks.receipts import Receipt


def unknown_objects(session: RunSession, device_ids: Mapping[str, str]) -> dict[str, list[str]]:
    """Device → the objects there that the catalog does not know.  ``device_ids``: by name."""
    found: dict[str, set[str]] = {name: set() for name in device_ids}

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is None:
            found[order.device].update(receipt.result.object_ids)

    def orders(name: str) -> Iterator[ListObjects]:
        for digit in range(16):
            fields = fields_for(session, name, device_ids[name])
            yield ListObjects(order_id=uuid.uuid4().hex, digit=f"{digit:x}", **fields)

    run_wave(session, {name: orders(name) for name in device_ids}, take)
    known = {name: session.catalog.garbage.known_on(device_id) for name, device_id in device_ids.items()}
    return {name: sorted(ids - known[name]) for name, ids in found.items()}


def describe(
    session: RunSession,
    device_ids: Mapping[str, str],
    object_ids: Mapping[str, Iterable[str]],
    take: Callable[[str, ObjectContent], None],
    *,
    with_origin: bool = False,
) -> None:
    """Call ``take(device, content)`` for each sound one of these objects, by device.

    ``with_origin``: each in an answer of its own, for it may name 65,536 files.
    """

    def on_receipt(order: Order, receipt: Receipt) -> None:
        for content in receipt.result.contents if receipt.failure is None else ():
            take(order.device, content)

    def orders(name: str) -> Iterator[DescribeObjects]:
        pending = iter(object_ids[name])
        while page := tuple(islice(pending, 1 if with_origin else MAX_DESCRIBED)):
            fields = fields_for(session, name, device_ids[name])
            yield DescribeObjects(order_id=uuid.uuid4().hex, object_ids=page, with_origin=with_origin, **fields)

    run_wave(session, {name: orders(name) for name in object_ids}, on_receipt)


def fields_for(session: RunSession, name: str, device_id: str) -> dict[str, Any]:
    """The fields of an order to this device."""
    epochs = {row.device_id: row.epoch for row in session.catalog.devices.all()}
    return session.order_fields(name, device_id=device_id, epoch=epochs.get(device_id, 0))
