"""What a manifest says of a snapshot: its parts and its head, out of the catalog.  Its tree is recorded there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain, islice

from blake3 import blake3
from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow, StoredSums
from producer.catalog.tree import PAGE_PARTS
from producer.manifest import (
    ManifestDevice,
    ManifestHead,
    ManifestLack,
    ManifestPart,
    ManifestSource,
    ManifestTotals,
    ManifestTrouble,
    PartKind,
    TreeReference,
    encode_index,
    encode_packs,
    encode_tree,
    encode_troubles,
    part_name,
)
from producer.pool.manifests.index_lines import index_lines
from producer.requests import PlanOptions


class ManifestFile(Struct, frozen=True, kw_only=True):
    """One manifest file: its entry in the head, and its bytes."""

    part: ManifestPart
    data: bytes


def manifest_files(
    catalog: Catalog, snapshot: SnapshotRow, rows: Sequence[StoredObject], device_index: Mapping[str, int]
) -> Iterator[ManifestFile]:
    """All parts in order, one in memory at a time; the same bytes at each call.  ``rows``: of the index."""
    contents: Iterator[tuple[PartKind, bytes]] = chain(
        (("tree", data) for data in encode_tree(_references(catalog, snapshot))),
        (("pack", data) for data in encode_packs(_packed(catalog, snapshot))),
        (("index", data) for data in encode_index(index_lines(catalog, rows, device_index))),
        (("troubles", data) for data in encode_troubles(_trouble_rows(catalog, snapshot))),
    )
    for number, (kind, data) in enumerate(contents):
        name = part_name(snapshot.snapshot_id, number)
        part = ManifestPart(name=name, kind=kind, size_bytes=len(data), blake3=blake3(data).hexdigest())
        yield ManifestFile(part=part, data=data)


def _references(catalog: Catalog, snapshot: SnapshotRow) -> Iterator[TreeReference]:
    for part in catalog.trees.of(snapshot.snapshot_id).parts:
        yield TreeReference(digest=part.digest.hex(), source=part.source, entries_count=part.entries_count)


def _packed(catalog: Catalog, snapshot: SnapshotRow) -> Iterator[tuple[str, bytes]]:
    """The parts that this snapshot brings, in the order of its tree."""
    packed = catalog.trees.packed(snapshot.snapshot_id)
    pending = (digest for digest in catalog.trees.of(snapshot.snapshot_id).digests if digest in packed)
    while page := list(islice(pending, PAGE_PARTS)):
        found = catalog.trees.data_of(page)
        for digest in page:
            yield digest.hex(), found.get(digest) or catalog.trees.data(digest)


def index_rows(catalog: Catalog, snapshot: SnapshotRow, live_ids: Collection[str]) -> list[StoredObject]:
    """The objects that this snapshot stored, and those that it needs of which a live device has no index yet."""
    needed = catalog.objects.of(catalog.trees.of(snapshot.snapshot_id).parts_of_segments)
    known = catalog.snapshots.brought_to(live_ids)
    rows = chain.from_iterable(needed.values())
    return [row for row in rows if row.snapshot_id == snapshot.snapshot_id or row.snapshot_id not in known]


def _trouble_rows(catalog: Catalog, snapshot: SnapshotRow) -> Iterator[ManifestTrouble]:
    entries = catalog.trees.of(snapshot.snapshot_id).reader
    for row in catalog.troubles.all(snapshot.snapshot_id):
        path = row.path if row.entry_index is None else entries.entry(row.entry_index).snapshot_path
        entry = -1 if row.entry_index is None else row.entry_index
        yield ManifestTrouble(entry=entry, path=path, code=row.code, message=row.message)


def manifest_devices(
    catalog: Catalog, rows: Iterable[StoredObject], present: Mapping[str, str]
) -> tuple[ManifestDevice, ...]:
    """The devices that take part (``present``: id → name), and those that hold segments of the index but are away."""
    segments_counts: Counter[str] = Counter()
    bytes_stored: Counter[str] = Counter()
    for row in rows:
        segments_counts[row.device_id] += 1
        bytes_stored[row.device_id] += row.bytes_stored
    names = dict(present)
    for device in catalog.devices.all():
        if device.device_id in segments_counts:
            names.setdefault(device.device_id, device.name)
    return tuple(
        ManifestDevice(
            name=name,
            device_id=device_id,
            segments_count=segments_counts[device_id],
            bytes_stored=bytes_stored[device_id],
        )
        for device_id, name in names.items()
    )


def manifest_head(
    snapshot: SnapshotRow,
    options: PlanOptions,
    devices: tuple[ManifestDevice, ...],
    parts: tuple[ManifestPart, ...],
    lacks: Sequence[LackRow],
    stored: StoredSums,
    sealed_at: datetime,
) -> ManifestHead:
    """The head that names these parts; ``lacks``: what cannot be restored now."""
    return ManifestHead(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_id,
        pool_id=snapshot.pool_id,
        volume=snapshot.volume,
        mode=snapshot.mode,  # type: ignore[arg-type]
        started=rfc3339(snapshot.started_at),
        ended=rfc3339(sealed_at),
        hostname=snapshot.hostname,
        program_version=version("segfleet"),
        tags=snapshot.tags,
        description=snapshot.description,
        sources=tuple(
            ManifestSource(name=source.name, path=source.path, mode=source.mode) for source in snapshot.sources
        ),
        split=options.split,
        order=options.order,
        threshold_bytes=snapshot.threshold_bytes,
        unit_bytes=snapshot.unit_bytes,
        block_bytes=snapshot.block_bytes,
        level=snapshot.level,
        devices=devices,
        totals=ManifestTotals(
            files_count=snapshot.files_count,
            bytes_source=snapshot.bytes_source,
            bytes_stored=stored.bytes_stored,
            segments_count=stored.segments_count,
        ),
        parts=parts,
        incomplete=tuple(
            ManifestLack(
                device_id=lack.device_id,
                files_count=lack.files_count,
                bytes_source=lack.size_bytes,
                omitted_files_count=lack.omitted_files_count,
                omitted_bytes_source=lack.omitted_bytes,
            )
            for lack in lacks
        ),
        owner_names=snapshot.owner_names,
        copies=snapshot.copies,
        parity=snapshot.parity,
    )


def rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
