"""What the lists read: the catalog, and the entries of a snapshot, decoded part by part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from producer.cli.call import Call

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog
    from producer.catalog.tables.snapshots.rows import SnapshotRow
    from producer.listing import EntryBatch


@contextmanager
def opened_catalog(call: Call) -> Iterator[Catalog]:
    from producer.catalog.catalog import Catalog

    with Catalog(call.environment().catalog) as catalog:
        yield catalog


def named_snapshot(catalog: Catalog, name: str, devices: Mapping[str, Path]) -> SnapshotRow:
    """The snapshot that a command means which reads these devices, or would; raises UsageError."""
    from producer.catalog.meant import snapshot_meant

    return snapshot_meant(catalog, name, devices)


def batches_of(catalog: Catalog, snapshot_id: str) -> Iterator[EntryBatch]:
    """The entries of a snapshot in order, in batches; one part is in memory at a time."""
    return catalog.trees.of(snapshot_id).batches()


def folder_of(batch: EntryBatch) -> str:
    """The path in the snapshot of the directory whose entries the batch holds; "" for a source's own entry."""
    if batch.names == [""]:
        return ""
    return f"{batch.source}/{batch.directory}" if batch.directory else batch.source
