"""The entries of directories that a snapshot knows, for a walk that found them as they were."""

from __future__ import annotations

import os

from producer.catalog.catalog import Catalog
from producer.catalog.tree import Tree
from producer.listing.columns import joined
from producer.listing.entry import EntryBatch
from producer.requests import BackupRequest
from producer.walk.known import KnownDirectories
from tasks.errors import CatalogError, DamagedError


class KnownTree:
    """See :class:`producer.walk.known.Before`; ``tree``: of the snapshot."""

    def __init__(self, known: KnownDirectories, tree: Tree) -> None:
        self.known = known
        self.tree = tree

    def batch(self, source: str, directory: str) -> EntryBatch | None:
        one = self.known.directories[source][os.fsencode(directory)]
        stop_entry = one.first_entry + one.entries_count
        try:
            batches = list(self.tree.reader.batches(one.first_entry, stop_entry))
        except (CatalogError, DamagedError):
            return None
        if not batches or any((each.source, each.directory) != (source, directory) for each in batches):
            return None
        found = joined(batches)
        return found if (found.first_entry, found.stop_entry) == (one.first_entry, stop_entry) else None


def known_tree(catalog: Catalog, request: BackupRequest, known: KnownDirectories | None) -> KnownTree | None:
    """For what is known of the last snapshot of the volume, unless the request wants another parent, or none."""
    last = catalog.snapshots.last_of(request.volume)
    if known is None or last is None or last.snapshot_id != known.snapshot_id:
        return None
    if request.force or request.parent is not None:
        return None
    try:
        return KnownTree(known, catalog.trees.of(known.snapshot_id))
    except CatalogError:
        return None
