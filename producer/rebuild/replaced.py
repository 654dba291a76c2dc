"""Objects that others have taken the place of: older manifests name them still, and no device has them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order
from tasks.orders.cleaning import ListObjects
from tasks.receipts import Receipt


def drop_replaced(session: RunSession, device_ids: Mapping[str, str]) -> None:
    """Take out of the index what a device that is there does not have, where it has another object of that segment.

    A prune has repacked the one as the other.  What is not there and has no other stays: it is lost, and check says so.
    ``device_ids``: by the names of the devices that are there.
    """
    catalog = session.catalog
    several = catalog.objects.of(catalog.objects.segments_in_several())
    if not several:
        return
    there = _listed(session, device_ids)
    with catalog.transaction():
        for objects in several.values():
            found = {one.object_id for one in objects if one.object_id in there.get(one.device_id, ())}
            for one in objects:
                if found and one.device_id in there and one.object_id not in there[one.device_id]:
                    catalog.objects.remove(one.object_id, one.device_id)


def _listed(session: RunSession, device_ids: Mapping[str, str]) -> dict[str, set[str]]:
    """Device id → the ids of the objects that it has; without the devices that could not say."""
    found: dict[str, set[str]] = {device_id: set() for device_id in device_ids.values()}
    failed: set[str] = set()

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failed.add(order.device_id)
        else:
            found[order.device_id].update(receipt.result.object_ids)

    epochs = {row.device_id: row.epoch for row in session.catalog.devices.all()}
    orders = {
        name: [
            ListObjects(
                order_id=uuid.uuid4().hex,
                digit=f"{digit:x}",
                **session.order_fields(name, device_id=device_id, epoch=epochs.get(device_id, 0)),
            )
            for digit in range(16)
        ]
        for name, device_id in device_ids.items()
    }
    died = run_wave(session, orders, take)
    return {key: ids for key, ids in found.items() if key not in failed | {device_ids[name] for name in died}}
