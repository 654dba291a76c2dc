"""Objects that a prune has repacked or deleted: older manifests name them still, and no device has them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping

from producer.catalog.catalog import Catalog
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order
from tasks.orders.cleaning import ListObjects
from tasks.receipts import Receipt


def drop_pruned(session: RunSession, device_ids: Mapping[str, str]) -> None:
    """Take out of the index what a device that is there does not have, where that is no loss.

    Either a prune has repacked it, and the device has another object of that segment; or no snapshot needs the
    segment, and a prune has deleted it: the manifest of a forgotten snapshot stays while others need parts of it.
    Anything else that is not there is lost, and check says so.  ``device_ids``: by the names of the devices that are
    there.
    """
    catalog = session.catalog
    several = catalog.objects.of(catalog.objects.segments_in_several())
    has_forgotten = bool(catalog.snapshots.all("forgotten"))
    if not several and not has_forgotten:
        return
    there = _listed(session, device_ids)
    with catalog.transaction():
        if has_forgotten:
            _drop_unneeded(catalog, there)
        for objects in several.values():
            found = {one.object_id for one in objects if one.object_id in there.get(one.device_id, ())}
            for one in objects:
                if found and one.device_id in there and one.object_id not in there[one.device_id]:
                    catalog.objects.remove(one.object_id, one.device_id)


def _drop_unneeded(catalog: Catalog, there: Mapping[str, Collection[str]]) -> None:
    needed = {key for row in catalog.snapshots.all() for key in catalog.trees.of(row.snapshot_id).parts_of_segments}
    for device_id, ids in there.items():
        for one in list(catalog.objects.on_device(device_id)):
            if one.segment_id not in needed and one.object_id not in ids:
                catalog.objects.remove(one.object_id, device_id)


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
