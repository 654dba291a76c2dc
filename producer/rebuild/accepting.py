"""What is damaged counts as lost for good, where the operator says so: then the catalog may delete on the devices."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping

from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import without_replaced
from producer.manifest import head_name
from producer.pool.decide import PoolDecision
from producer.rebuild.stored_unknown import fields_for
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order
from tasks.orders.cleaning import MAX_DELETED, DeleteStored
from tasks.receipts import Receipt


def devices_away(catalog: Catalog, decision: PoolDecision) -> list[str]:
    """The devices of the pool that are not there, and not lost: what is damaged here may be whole on them."""
    there = set(decision.ready.values())
    rows = without_replaced(catalog.devices.all(decision.pool_id))
    return sorted(row.name for row in rows if row.state != "lost" and row.device_id not in there)


def delete_heads(
    session: RunSession,
    device_ids: Mapping[str, str],
    names: Mapping[str, frozenset[str]],
    snapshot_ids: Collection[str],
) -> list[str]:
    """Delete the heads of these snapshots, which nobody can read, from all devices; returns why some stay.

    Their packs and objects stay: others need them, and the next rebuild finds in them what this one has found.
    ``device_ids``: by name; ``names``: device → its files of manifests.  Idempotent.
    """
    failures: list[str] = []
    heads = {head_name(snapshot_id) for snapshot_id in snapshot_ids}

    def orders(name: str) -> Iterator[Order]:
        there, fields = sorted(heads & names[name]), fields_for(session, name, device_ids[name])
        catalog_id = session.catalog.generations.catalog_id
        for start in range(0, len(there), MAX_DELETED):
            page = tuple(there[start : start + MAX_DELETED])
            yield DeleteStored(order_id=uuid.uuid4().hex, catalog_id=catalog_id, manifest_names=page, **fields)

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failures.append(f"device {order.device}: {receipt.failure.message}")
        else:
            failures.extend(f"device {order.device}: {kept.name}: {kept.message}" for kept in receipt.result.kept)

    died = run_wave(session, {name: orders(name) for name in device_ids}, take)
    return failures + [f"device {name}: {why}" for name, why in died.items()]
