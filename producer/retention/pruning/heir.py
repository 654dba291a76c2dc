"""A forgotten snapshot that holds nothing of its own: its manifest brings tree parts and index lines to the devices.

It has a head and a tombstone, and packs and an index like any other.  So whatever reads manifests finds what they say,
and a prune removes it once nothing in it is needed.
"""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from blake3 import blake3
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow, SnapshotState
from producer.manifest import (
    ManifestDevice,
    ManifestHead,
    ManifestPart,
    ManifestTotals,
    PartKind,
    encode_head,
    encode_index,
    encode_packs,
    head_name,
    part_name,
)
from producer.manifest.tombstones import encode_tombstone, tombstone_name
from producer.pool.manifests.index_lines import index_lines
from producer.pool.manifests.manifest_files import rfc3339
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.meeting import Meeting


def model_of(catalog: Catalog, pool_id: str) -> SnapshotRow:
    """The newest snapshot of a pool that stores something; an unfinished or forgotten one where no other is left."""
    states: tuple[SnapshotState, ...] = ("sealed", "open", "forgotten")
    rows = (row for state in states for row in reversed(catalog.snapshots.all(state)))
    return next(row for row in rows if row.pool_id == pool_id)


def begin_heir(catalog: Catalog, like: SnapshotRow) -> str:
    """Record a forgotten snapshot, of the pool of ``like``; returns its id.

    Known from the beginning, after a power cut too: what is left of it is that of a forgotten snapshot.
    """
    heir = uuid.uuid4().hex
    row = replace(like, snapshot_id=heir, parent_id="", pinned=False, marked_at=None, forgotten_at=None, lacks=())
    with catalog.durable_transaction():
        catalog.snapshots.add_sealed(replace(row, state="sealed", tags=(), sources=(), holders=(), gone_from=()))
        catalog.marks.forget([heir])
    return heir


def write_heir(
    catalog: Catalog,
    meeting: Meeting,
    devices: Iterable[PrunedDevice],
    heir: str,
    *,
    like: SnapshotRow,
    digests: Iterable[bytes],
    rows: Sequence[StoredObject],
) -> list[PrunedDevice]:
    """Put packs of these tree parts, and index lines of these objects, on the devices; returns those that took all.

    Tombstone first, head last.
    """
    files = dict(_parts(catalog, heir, digests, rows))
    head = encode_head(_head(catalog, heir, like, rows, files))
    tombstone = {tombstone_name(heir): encode_tombstone(heir, catalog.generations.catalog_id)}
    written = [tombstone, {name: data for name, (_, data) in files.items()}, {head_name(heir): head}]

    def takes_all(device: PrunedDevice) -> bool:
        return all(meeting.work.put(device, some) and meeting.work.is_well(device) for some in written)

    return [device for device in devices if takes_all(device)]


def _parts(
    catalog: Catalog, heir: str, digests: Iterable[bytes], rows: Sequence[StoredObject]
) -> Iterator[tuple[str, tuple[PartKind, bytes]]]:
    """Name → kind and content of each part."""
    places = {device_id: place for place, device_id in enumerate(sorted({row.device_id for row in rows}))}
    contents: list[tuple[PartKind, bytes]] = [
        *(("pack", data) for data in encode_packs((one.hex(), catalog.trees.data(one)) for one in sorted(digests))),
        *(("index", data) for data in encode_index(index_lines(catalog, rows, places))),
    ]
    for number, content in enumerate(contents):
        yield part_name(heir, number), content


def _head(
    catalog: Catalog,
    heir: str,
    like: SnapshotRow,
    rows: Sequence[StoredObject],
    files: dict[str, tuple[PartKind, bytes]],
) -> ManifestHead:
    names = {device.device_id: device.name for device in catalog.devices.all()}
    return ManifestHead(
        snapshot_id=heir,
        pool_id=like.pool_id,
        volume=like.volume,
        mode="files",
        # As in the catalog: a rebuild makes the same of it.
        started=rfc3339(like.started_at),
        ended=rfc3339(datetime.now(UTC)),
        hostname=platform.node(),
        program_version=version("segfleet"),
        tags=(),
        description="what forgotten snapshots lend to others",
        sources=(),
        split="threshold",
        order="descending",
        threshold_bytes=0,
        unit_bytes=like.unit_bytes,
        block_bytes=like.block_bytes,
        level=like.level,
        devices=tuple(_device(device_id, names, rows) for device_id in sorted({row.device_id for row in rows})),
        totals=ManifestTotals(files_count=0, bytes_source=0, bytes_stored=0, segments_count=0),
        parts=tuple(
            ManifestPart(name=name, kind=kind, size_bytes=len(data), blake3=blake3(data).hexdigest())
            for name, (kind, data) in files.items()
        ),
    )


def _device(device_id: str, names: dict[str, str], rows: Sequence[StoredObject]) -> ManifestDevice:
    mine = [row for row in rows if row.device_id == device_id]
    return ManifestDevice(
        name=names.get(device_id, device_id[:8]),
        device_id=device_id,
        segments_count=len(mine),
        bytes_stored=sum(row.bytes_stored for row in mine),
    )
