"""Is the snapshot that is about to be sealed the same as its parent?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from producer.backup.sealing.record_tree import record_tree
from producer.catalog.catalog import Catalog
from producer.catalog.known_parts import KnownPart
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.reader import Batches
from producer.pool.members import Member


def is_as_parent(
    catalog: Catalog,
    snapshot: SnapshotRow,
    members: Mapping[str, Member],
    known: Sequence[KnownPart] = (),
    differing: Batches | None = None,
) -> bool:
    """Whether all entries are those of the parent, with their metadata and places.  Makes the snapshot's tree.

    ``known``, ``differing``: as for :func:`record_tree`.
    """
    if not snapshot.parent_id:
        return False
    record_tree(catalog, snapshot, members, known, differing)
    parent = catalog.snapshots.get(snapshot.parent_id)
    if [source.name for source in parent.sources] != [source.name for source in snapshot.sources]:
        return False
    return catalog.trees.of(snapshot.snapshot_id).parts == catalog.trees.of(parent.snapshot_id).parts
