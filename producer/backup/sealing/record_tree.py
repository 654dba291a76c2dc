"""Makes the tree of a snapshot out of its entries and what was read of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from producer.backup.sealing.placing import sealed_batches
from producer.backup.sealing.tree_making import TreeMaking
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import PartReference
from producer.listing.tree_parts import TreePart
from producer.pool.members import Member


def record_tree(
    catalog: Catalog,
    snapshot: SnapshotRow,
    members: Mapping[str, Member],
    unchanged: Sequence[PartReference] = (),
) -> None:
    """Make the snapshot's tree, and decide which of its parts go to the devices with it.  Idempotent.

    ``unchanged``: parts of the parent, at their places here, in which all is as it was.
    """
    with catalog.transaction():
        catalog.trees.write(snapshot.snapshot_id, _parts(catalog, snapshot, unchanged))
        digests = catalog.trees.of(snapshot.snapshot_id).digests
        live_ids = [member.device_id for member in members.values() if member.is_live]
        there = catalog.trees.brought_to(live_ids, digests)
        catalog.trees.record_pack(snapshot.snapshot_id, dict.fromkeys(set(digests) - there))


def _parts(
    catalog: Catalog, snapshot: SnapshotRow, unchanged: Sequence[PartReference]
) -> Iterator[tuple[int, TreePart | PartReference]]:
    making = TreeMaking([source.name for source in snapshot.sources], unchanged)
    for batch in sealed_batches(catalog, snapshot, lambda: making.done_entries):
        yield from making.add(batch)
    yield from making.flush()
