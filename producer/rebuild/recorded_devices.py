"""The devices of the pool, recorded: those that are there, and those that manifests name and nobody has mounted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from producer.manifest import ManifestHead
from producer.pool.decide import PoolDecision
from tasks.receipts import DeviceReport


def record_present(
    catalog: Catalog,
    decision: PoolDecision,
    reports: Mapping[str, DeviceReport],
    paths: Mapping[str, Path],
    published_epoch: Callable[[str], int],
) -> None:
    """Record the devices that are there, under the names that they are given now.

    ``published_epoch``: device id → what workers compare orders with, where the broker is older than the catalog.
    """
    for name, device_id in decision.ready.items():
        report = reports[name]
        is_ready = report.condition == "ready"
        catalog.devices.record(
            DeviceRow(
                name=name,
                device_id=device_id,
                pool_id=decision.pool_id,
                state="live" if is_ready else "read-only",
                reason="" if is_ready else report.detail,
                since=datetime.now(UTC),
                capacity_bytes=report.capacity_bytes,
                free_bytes=report.free_bytes,
                epoch=published_epoch(device_id),
                path=str(paths[name]),
                mount_point=report.mount_point,
                site=report.site,
            )
        )


def record_named(catalog: Catalog, decision: PoolDecision, heads: Iterable[ManifestHead]) -> dict[str, str]:
    """Record as absent the devices that heads name and the catalog does not know; returns id → name of all devices.

    ``heads``: in the order of their making; the last name of a device counts.
    """
    names = {row.device_id: row.name for row in catalog.devices.all(decision.pool_id)}
    named = {device.device_id: device.name for head in heads for device in head.devices}
    for device_id, name in named.items():
        if device_id not in names:
            catalog.devices.record(_absent(device_id, name, decision.pool_id))
    return named | names


def _absent(device_id: str, name: str, pool_id: str) -> DeviceRow:
    return DeviceRow(
        name=name,
        device_id=device_id,
        pool_id=pool_id,
        state="absent",
        reason="it was not there when the catalog was rebuilt",
        since=datetime.now(UTC),
        capacity_bytes=0,
        free_bytes=0,
        epoch=0,
        path="",
    )
