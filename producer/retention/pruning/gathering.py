"""Gathers what forgotten snapshots lend to others into one manifest, so that their own can go.

A forgotten snapshot keeps its manifest on the devices as long as others need a tree part, or a line of the index, that
it brought.  Many of these would fill the devices with what nobody needs.  So all small ones are replaced by one that
is made for that: it has a head and a tombstone, and packs and an index like any other.
"""

from __future__ import annotations

import platform
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

from blake3 import blake3

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.manifest import (
    IndexRow,
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
from producer.retention.pruning.meeting import Meeting
from producer.run.session import RunSession

#: So many may lend before they are gathered.
MAX_LENDERS_COUNT = 8
#: What lends more than this stays as it is: to write it anew each time would cost more than it saves.
_LARGE_BYTES = 16 * 1024 * 1024


def gather(session: RunSession, meeting: Meeting, lenders: Sequence[SnapshotRow]) -> bool:
    """Put what these forgotten snapshots of one pool lend into one manifest, on all devices of the pool.

    True when they lend nothing any more.  False, and nothing has changed, while they are few, or a device is away or
    does not take the new manifest: what is on the others of it goes with the next prune.
    """
    catalog = session.catalog
    small = [row for row in lenders if catalog.lending.part_bytes(row.snapshot_id) <= _LARGE_BYTES]
    if len(small) <= MAX_LENDERS_COUNT:
        return False
    devices = [device for device in meeting.writable if device.row.pool_id == small[0].pool_id]
    of_pool = {row.device_id for row in catalog.devices.all(small[0].pool_id) if row.state != "lost"}
    if of_pool != {device.device_id for device in devices}:
        return False
    heir = uuid.uuid4().hex
    # Known from the beginning: what a kill leaves of it is that of a forgotten snapshot.
    _begin(catalog, heir, small[-1])
    rows = [row for lender in small for row in catalog.objects.indexed_by(lender.snapshot_id)]
    files = dict(_parts(catalog, heir, small, rows))
    head = encode_head(_head(catalog, heir, small[-1], rows, files))
    tombstone = {tombstone_name(heir): encode_tombstone(heir, catalog.generations.catalog_id)}
    written = [tombstone, {name: data for name, (_, data) in files.items()}, {head_name(heir): head}]
    for device in devices:
        for some in written:
            if not meeting.work.put(device, some) or not meeting.work.is_well(device):
                return False
    with catalog.durable_transaction():
        catalog.lending.hand_on([row.snapshot_id for row in small], heir)
        catalog.remains.set_holders(heir, [device.device_id for device in devices])
    return True


def _begin(catalog: Catalog, heir: str, like: SnapshotRow) -> None:
    row = replace(like, snapshot_id=heir, parent_id="", pinned=False, marked_at=None, forgotten_at=None, lacks=())
    with catalog.transaction():
        catalog.snapshots.add_sealed(replace(row, state="sealed", tags=(), sources=(), holders=(), gone_from=()))
        catalog.marks.forget([heir])


def _parts(
    catalog: Catalog, heir: str, lenders: Sequence[SnapshotRow], rows: Sequence[StoredObject]
) -> Iterator[tuple[str, tuple[PartKind, bytes]]]:
    """Name → kind and content of each part."""
    digests = sorted({digest for row in lenders for digest in catalog.trees.packed(row.snapshot_id)})
    places = {device_id: place for place, device_id in enumerate(sorted({row.device_id for row in rows}))}
    contents: list[tuple[PartKind, bytes]] = [
        *(("pack", data) for data in encode_packs((one.hex(), catalog.trees.data(one)) for one in digests)),
        *(("index", data) for data in encode_index(_index_row(row, places[row.device_id]) for row in rows)),
    ]
    for number, content in enumerate(contents):
        yield part_name(heir, number), content


def _index_row(row: StoredObject, place: int) -> IndexRow:
    return IndexRow(
        object_id=row.object_id,
        segment_id=row.segment_id,
        device=place,
        size_bytes=row.size_bytes,
        bytes_stored=row.bytes_stored,
        trailer_digest=row.proof,
        cell_digests=row.cell_digests,
        ranges=row.parts or (),
    )


def _head(
    catalog: Catalog,
    heir: str,
    like: SnapshotRow,
    rows: Sequence[StoredObject],
    files: dict[str, tuple[PartKind, bytes]],
) -> ManifestHead:
    names = {device.device_id: device.name for device in catalog.devices.all()}
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return ManifestHead(
        snapshot_id=heir,
        pool_id=like.pool_id,
        volume=like.volume,
        mode="files",
        started=now,
        ended=now,
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
