"""Writes into the catalog what a manifest says of a snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow, SourceRow
from producer.catalog.tables.troubles import TroubleRow
from producer.listing.places.stored_cells import CellColumns
from producer.manifest import (
    IndexRow,
    ManifestHead,
    ManifestPart,
    ManifestTrouble,
    TreeReference,
    decode_index,
    decode_pack,
    decode_tree,
    decode_troubles,
)
from producer.rebuild.heads import FoundHead
from tasks.errors import DamagedError


class ReadManifest(Struct, kw_only=True):
    """The parts of one manifest, as they come, in any order.  Packs are not kept: they go to the catalog at once."""

    found: FoundHead
    trees: dict[str, list[TreeReference]] = field(default_factory=dict)
    packed: dict[str, None] = field(default_factory=dict)
    index: dict[str, list[IndexRow]] = field(default_factory=dict)
    troubles: dict[str, list[ManifestTrouble]] = field(default_factory=dict)

    def take(self, part: ManifestPart, data: bytes, catalog: Catalog) -> None:
        """Raises DamagedError for a file that has its digest, but is no valid part."""
        match part.kind:
            case "tree":
                self.trees[part.name] = decode_tree(data)
            case "pack":
                parts = decode_pack(data)
                catalog.trees.add_parts({bytes.fromhex(digest): stored for digest, stored in parts.items()})
                self.packed.update(dict.fromkeys(parts))
            case "index":
                self.index[part.name] = decode_index(data)
            case "troubles":
                self.troubles[part.name] = decode_troubles(data)

    @property
    def head(self) -> ManifestHead:
        return self.found.head

    @property
    def references(self) -> list[TreeReference]:
        """The references to all parts of the tree, in order: the parts' names are numbered."""
        return [reference for name in sorted(self.trees) for reference in self.trees[name]]


def enter(catalog: Catalog, manifest: ReadManifest, holders: Iterable[str], names: Mapping[str, str]) -> int:
    """Record the snapshot as sealed, or the tree of one that has lost its own.

    Returns how many objects of its index the catalog did not know.

    ``holders``: ids of the devices that have the manifest.  ``names``: device id → name, of all devices of the pool.
    Raises DamagedError where the manifest does not fit together, and then changes nothing.
    """
    head, references = manifest.head, manifest.references
    if any(reference.source >= len(head.sources) for reference in references):
        raise DamagedError("the list of its tree names a source that its head does not have")
    row = _snapshot_row(manifest, references, tuple(holders), names)
    with catalog.transaction():
        is_known = row.snapshot_id in catalog.snapshots.states()
        if not is_known:
            catalog.snapshots.add_sealed(row)
            catalog.troubles.add(row.snapshot_id, _troubles(manifest))
        else:
            lacks = catalog.snapshots.get(row.snapshot_id).lacks
            catalog.snapshots.set_partial(row.snapshot_id, row.entries_count, lacks)
        catalog.trees.write_list(
            row.snapshot_id,
            [(bytes.fromhex(one.digest), one.source, one.entries_count) for one in references],
        )
        catalog.trees.record_pack(row.snapshot_id, map(bytes.fromhex, manifest.packed))
        added_count = catalog.objects.add_new(_objects(manifest))
        catalog.cells.add_new(_cells(manifest))
    return added_count


def _snapshot_row(
    manifest: ReadManifest, references: Iterable[TreeReference], holders: tuple[str, ...], names: Mapping[str, str]
) -> SnapshotRow:
    head = manifest.head
    return SnapshotRow(
        snapshot_id=head.snapshot_id,
        pool_id=head.pool_id,
        volume=head.volume,
        mode=head.mode,
        state="sealed",
        hostname=head.hostname,
        tags=head.tags,
        description=head.description,
        sources=tuple(SourceRow(name=one.name, path=one.path, mode=one.mode) for one in head.sources),
        # The command that made it is not in the manifest; only an interrupted backup is compared with it.
        request={},
        started_at=datetime.fromisoformat(head.started),
        planned_at=datetime.fromisoformat(head.started),
        sealed_at=datetime.fromisoformat(head.ended),
        threshold_bytes=head.threshold_bytes,
        bundle_limit_bytes=0,
        unit_bytes=head.unit_bytes,
        block_bytes=head.block_bytes,
        level=head.level,
        entries_count=sum(reference.entries_count for reference in references),
        files_count=head.totals.files_count,
        bytes_source=head.totals.bytes_source,
        bytes_stored=head.totals.bytes_stored,
        segments_count=head.totals.segments_count,
        lacks=tuple(
            LackRow(
                device_id=lack.device_id,
                device=names.get(lack.device_id, lack.device_id[:8]),
                files_count=lack.files_count,
                size_bytes=lack.bytes_source,
                omitted_files_count=lack.omitted_files_count,
                omitted_bytes=lack.omitted_bytes_source,
            )
            for lack in head.incomplete
        ),
        head_digest=manifest.found.digest,
        owner_names=head.owner_names,
        parent_id=head.parent_id,
        holders=holders,
        copies=head.copies,
        parity=head.parity,
    )


def _objects(manifest: ReadManifest) -> Iterable[StoredObject]:
    devices = manifest.head.devices
    for part in sorted(manifest.index):
        for row in manifest.index[part]:
            if row.device >= len(devices):
                raise DamagedError("its index names a device that its head does not have")
            yield StoredObject(
                object_id=row.object_id,
                segment_id=row.segment_id,
                device_id=devices[row.device].device_id,
                device=devices[row.device].name,
                snapshot_id=manifest.head.snapshot_id,
                size_bytes=row.size_bytes,
                bytes_stored=row.bytes_stored,
                trailer_digest=bytes.fromhex(row.trailer_digest),
                parts=row.ranges or None,
            )


def _cells(manifest: ReadManifest) -> dict[str, CellColumns]:
    rows = (row for part in sorted(manifest.index) for row in manifest.index[part])
    return {row.segment_id: row.cells for row in rows if row.cells is not None}


def _troubles(manifest: ReadManifest) -> list[TroubleRow]:
    return [
        TroubleRow(entry_index=None if row.entry < 0 else row.entry, path=row.path, code=row.code, message=row.message)
        for part in sorted(manifest.troubles)
        for row in manifest.troubles[part]
    ]
