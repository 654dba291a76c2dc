"""Makes the tree of a snapshot out of its entries and what was read of them."""

from __future__ import annotations

from collections.abc import Mapping

from producer.backup.sealing.placing import sealed_batches
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.parts_of_sources import parts_of_sources
from producer.pool.members import Member


def record_tree(catalog: Catalog, snapshot: SnapshotRow, members: Mapping[str, Member]) -> None:
    """Make the snapshot's tree, and decide which of its parts go to the devices with it.  Idempotent."""
    with catalog.transaction():
        batches = sealed_batches(catalog, snapshot)
        catalog.trees.write(
            snapshot.snapshot_id, parts_of_sources(batches, [source.name for source in snapshot.sources])
        )
        digests = catalog.trees.of(snapshot.snapshot_id).digests
        live_ids = [member.device_id for member in members.values() if member.is_live]
        there = catalog.trees.brought_to(live_ids, digests)
        catalog.trees.record_pack(snapshot.snapshot_id, dict.fromkeys(set(digests) - there))
