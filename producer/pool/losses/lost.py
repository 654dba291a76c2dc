"""A device that will not come back: what an operator says of it, and what its snapshots lack then."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.pool.holdings import held_by
from tasks.errors import UsageError

REASON = "marked as lost by its operator"

_PREFIX = re.compile(r"[0-9a-f]{8,32}")


def device_named(catalog: Catalog, name: str) -> DeviceRow:
    """The device that a person means by its name, or by the first 8 or more digits of its id.

    One that is lost is meant only if no other has the name.  Raises UsageError for a name that fits none or several.
    """
    rows = catalog.devices.last_recorded_first()
    named = [row for row in rows if row.name == name]
    found = [row for row in named if row.state != "lost"] or named[:1]
    if not found and _PREFIX.fullmatch(name):
        found = [row for row in rows if row.device_id.startswith(name)]
    if not found:
        raise UsageError(f"no device is called {name}; known: {_in_words(rows)}", hint="segfleet devices lists them")
    if len(found) > 1:
        raise UsageError(f"several devices are called {name}: {_in_words(found)}", hint="give 8 digits of the id")
    return found[0]


def _in_words(rows: Iterable[DeviceRow]) -> str:
    return ", ".join(f"{row.name} ({row.device_id[:8]}, in {row.path})" for row in rows) or "none"


def mark_lost(catalog: Catalog, row: DeviceRow) -> tuple[DeviceRow, int]:
    """Record that the device is lost, and in each sealed snapshot what it lacks without it.

    With it goes what its parity gave of devices that were lost before.  Returns the device as it is recorded now, and
    how many snapshots lack something.  A repeat changes nothing.
    """
    snapshots = [snapshot for snapshot in catalog.snapshots.all() if snapshot.pool_id == row.pool_id]
    found = {one.snapshot_id: held_by(catalog, one.snapshot_id, row.device_id, row.name) for one in snapshots}
    lacking = {snapshot_id for snapshot_id, lack in found.items() if lack is not None}
    before = [one for one in catalog.devices.all(row.pool_id) if one.state == "lost" and one.device_id != row.device_id]
    with catalog.transaction():
        catalog.devices.set_state(row.device_id, "lost", REASON)
        for snapshot_id in lacking:
            _record(catalog, snapshot_id, found[snapshot_id])
        for device in before if catalog.parity.object_ids() else ():
            for one in snapshots:
                lack = held_by(catalog, one.snapshot_id, device.device_id, device.name)
                _record(catalog, one.snapshot_id, lack)
                lacking |= {one.snapshot_id} if lack is not None else set()
    return catalog.devices.get(row.device_id), len(lacking)


def _record(catalog: Catalog, snapshot_id: str, lack: LackRow | None) -> None:
    if lack is None:
        return
    lacks = catalog.snapshots.get(snapshot_id).lacks
    others = [other for other in lacks if other.device_id != lack.device_id]
    before = next((other for other in lacks if other.device_id == lack.device_id), None)
    catalog.snapshots.set_lacks(snapshot_id, [*others, _with_omitted(lack, before)])


def refresh_lacks(catalog: Catalog, pool_id: str) -> None:
    """Record what sealed snapshots lack of lost devices now that something of it has been stored again."""
    lost = {row.device_id: row for row in catalog.devices.all(pool_id) if row.state == "lost"}
    for snapshot in catalog.snapshots.all():
        if snapshot.pool_id != pool_id or not any(one.device_id in lost for one in snapshot.lacks):
            continue
        now = [_lack_now(catalog, snapshot.snapshot_id, one, lost.get(one.device_id)) for one in snapshot.lacks]
        catalog.snapshots.set_lacks(snapshot.snapshot_id, [one for one in now if one is not None])


def _lack_now(catalog: Catalog, snapshot_id: str, before: LackRow, lost: DeviceRow | None) -> LackRow | None:
    if lost is None:
        return before
    lack = held_by(catalog, snapshot_id, lost.device_id, lost.name)
    if lack is None and before.omitted_bytes:
        lack = LackRow(device_id=lost.device_id, device=lost.name, files_count=0, size_bytes=0)
    return None if lack is None else _with_omitted(lack, before)


def _with_omitted(lack: LackRow, before: LackRow | None) -> LackRow:
    """What the snapshot was sealed without is lacking as well."""
    if before is None:
        return lack
    return replace(
        lack,
        files_count=lack.files_count + before.omitted_files_count,
        size_bytes=lack.size_bytes + before.omitted_bytes,
        omitted_files_count=before.omitted_files_count,
        omitted_bytes=before.omitted_bytes,
    )
