"""Snapshots that lie on the devices, and that the catalog does not know: it was lost, or it is another one."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from contextlib import suppress

from blake3 import blake3

from producer.catalog.meant import pools_meant
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.manifest import snapshot_of_head
from producer.observer import Trouble
from producer.pool.present import pools_there, present_devices
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import NotADeviceError, UsageError
from tasks.orders import GetManifest, Order
from tasks.receipts import Receipt


def find_snapshot(session: RunSession, name: str) -> SnapshotRow:
    """The snapshot of this name; where there is none, says first whether the devices hold others.

    Where the catalog knows several pools, ``latest`` is the newest in those of the named devices that are there.

    Raises UsageError.
    """
    try:
        pools = pools_meant(session.catalog, name, lambda: pools_there(session))
        return session.catalog.snapshots.find(name, pools=pools)
    except UsageError:
        with suppress(NotADeviceError):
            tell_unknown_snapshots(session, present_devices(session, []))
        raise


def tell_unknown_snapshots(session: RunSession, present: Mapping[str, str]) -> int:
    """Ask the devices which snapshots they hold, and report those that the catalog does not know; returns how many.

    One of which a rebuild has recovered what is left does not count: its head is damaged, and nobody can read more.
    ``present``: device id → name.  A device that does not answer counts as empty.
    """
    names: set[str] = set()

    def take_names(_order: Order, receipt: Receipt) -> None:
        if receipt.failure is None:
            names.update(receipt.result.names)

    orders = {
        name: [GetManifest(order_id=uuid.uuid4().hex, name="", **session.order_fields(name, device_id=device_id))]
        for device_id, name in present.items()
    }
    run_wave(session, orders, take_names)
    known = session.catalog.snapshots.known_ids()
    count = sum(recovered_id(found) not in known for found in unknown_snapshots(names, known))
    if count:
        snapshots = "1 snapshot on these devices is" if count == 1 else f"{count} snapshots on these devices are"
        message = f"{snapshots} not in this catalog ({session.catalog.place}); to read them into it: segfleet rebuild"
        session.observer.trouble(Trouble(code="unknown-snapshots", message=message))
    return count


def unknown_snapshots(names: Collection[str], known: Collection[str]) -> set[str]:
    """The ids of the snapshots that have a head among these names of manifest files, and are not ``known``."""
    heads = {snapshot_id for name in names if (snapshot_id := snapshot_of_head(name)) is not None}
    return heads - set(known)


def recovered_id(snapshot_id: str) -> str:
    """The id of the snapshot that has what is left of this one: the same in each rebuild."""
    return blake3(f"recovered {snapshot_id}".encode()).hexdigest()[:32]
