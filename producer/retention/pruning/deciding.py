"""What nothing needs leaves the catalog: from then on nothing can come to need it."""

from __future__ import annotations

from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder, parents_of
from producer.pool.parity.writing import let_go


def doom_unneeded(catalog: Catalog, finder: NeededFinder) -> None:
    """Take out of the catalog what no snapshot needs, and note what devices are to delete.  Survives a power cut."""
    finder.find()  # Most of the work, outside of the transaction that keeps others from writing.
    with catalog.durable_transaction():
        for device in catalog.devices.all():
            if device.state == "lost":
                catalog.doomed.drop_device(device.device_id)
        needed = finder.find()
        catalog.garbage.doom(needed.segment_ids)
        let_go(catalog, catalog.parity.dead())
        catalog.garbage.drop_parts(needed.parts)
        kept = parents_of(catalog.snapshots.all("open"))
        for row in catalog.snapshots.all("forgotten"):
            if row.snapshot_id not in kept:
                catalog.remains.strip(row.snapshot_id)
