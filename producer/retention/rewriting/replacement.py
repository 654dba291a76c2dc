"""The snapshot that takes the place of another: its rows in the catalog, and its manifest on the devices."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import msgspec
from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow, StoredSums
from producer.catalog.tables.troubles import TroubleRow
from producer.listing.parts_of_sources import parts_of_sources
from producer.manifest import encode_head, head_name
from producer.pool.manifests.manifest_files import index_rows, manifest_devices, manifest_files, manifest_head
from producer.requests import BackupRequest, PlanOptions
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.meeting import Meeting
from producer.retention.rewriting.lacks import Lacking
from producer.retention.rewriting.thinned import Thinned
from producer.run.session import RunSession
from tasks.errors import DeviceError


class WrittenManifest(Struct, frozen=True, kw_only=True):
    """``digest``: of the head; ``holders``: the ids of the devices that have all of it."""

    digest: bytes
    holders: tuple[str, ...]


def record_replacement(catalog: Catalog, old: SnapshotRow, thinned: Thinned, *, parent_id: str) -> SnapshotRow:
    """Record a forgotten snapshot that is like ``old`` except for its entries, and return it.

    Survives a power cut: devices that hold its manifest must not know more than the catalog.
    """
    new_id, lacks = uuid.uuid4().hex, old.lacks
    if old.lacks:
        lacking = Lacking(old.lacks, catalog.objects.of(catalog.trees.of(old.snapshot_id).parts_of_segments))
        thinned.count(lacking.note)
        lacks = lacking.left()
    row = replace(
        old,
        snapshot_id=new_id,
        state="forgotten",
        parent_id=parent_id,
        entries_count=old.entries_count - thinned.entries_count,
        files_count=old.files_count - thinned.files_count,
        bytes_source=old.bytes_source - thinned.bytes_source,
        lacks=lacks,
        pinned=False,
        head_digest=None,
        holders=(),
        marked_at=None,
        marks_on=(),
        gone_from=(),
    )
    with catalog.durable_transaction():
        catalog.snapshots.add_sealed(row)
        catalog.trees.write(new_id, parts_of_sources(thinned.batches(), [source.name for source in row.sources]))
        catalog.troubles.add(new_id, _troubles(catalog, old, thinned))
    return row


def _troubles(catalog: Catalog, old: SnapshotRow, thinned: Thinned) -> Iterator[TroubleRow]:
    """Those of the old one, without those of what goes.  After the entries have been read."""
    for row in catalog.troubles.all(old.snapshot_id):
        if row.entry_index is None:
            yield row
        elif row.entry_index in thinned.moved:
            yield replace(row, entry_index=thinned.moved[row.entry_index])


def write_manifest(session: RunSession, meeting: Meeting, new: SnapshotRow, *, lender: SnapshotRow) -> WrittenManifest:
    """Put the manifest of the new snapshot on the devices of its pool, the head last.

    It brings all that the ``lender`` has brought and it needs itself, so that the lender's own can go.  Raises
    DeviceError when no device takes it.
    """
    catalog = session.catalog
    devices = [device for device in meeting.taking if device.row.pool_id == new.pool_id]
    live_ids = {device.device_id for device in devices}
    digests = catalog.trees.of(new.snapshot_id).digests
    lent, there = catalog.trees.packed(lender.snapshot_id), catalog.trees.brought_to(live_ids, digests)
    catalog.trees.record_pack(new.snapshot_id, [one for one in digests if one in lent or one not in there])
    rows = _index(catalog, new, lender, live_ids)
    described = manifest_devices(catalog, rows, {device.device_id: device.name for device in devices})
    places = {device.device_id: place for place, device in enumerate(described)}
    parts, left = [], devices
    for file in manifest_files(catalog, new, rows, places):
        parts.append(file.part)
        left = _put(meeting, left, {file.part.name: file.data})
    assert new.sealed_at is not None
    stored = StoredSums(segments_count=new.segments_count, bytes_stored=new.bytes_stored)
    head = manifest_head(new, _options(new), described, tuple(parts), new.lacks, stored, new.sealed_at)
    data = encode_head(head)
    left = _put(meeting, left, {head_name(new.snapshot_id): data})
    if not left:
        raise DeviceError(
            f"no device took the manifest that replaces that of snapshot {lender.snapshot_id[:8]}",
            hint="that snapshot stays as it is; free space with segfleet prune, then run the same command again",
        )
    return WrittenManifest(digest=blake3(data).digest(), holders=tuple(device.device_id for device in left))


def _index(catalog: Catalog, new: SnapshotRow, lender: SnapshotRow, live_ids: set[str]) -> list[StoredObject]:
    """What no device has an index line of, and what the lender has brought."""
    rows = {row.key: row for row in index_rows(catalog, new, live_ids)}
    needed = catalog.objects.of(catalog.trees.of(new.snapshot_id).parts_of_segments)
    lent = {row.key: row for found in needed.values() for row in found if row.snapshot_id == lender.snapshot_id}
    return list((rows | lent).values())


def _put(meeting: Meeting, devices: Sequence[PrunedDevice], files: dict[str, bytes]) -> list[PrunedDevice]:
    """The devices that have taken them."""
    return [device for device in devices if meeting.work.put(device, files) and meeting.work.is_well(device)]


def _options(row: SnapshotRow) -> PlanOptions:
    """How it was planned; defaults if a rebuild found it, because manifests do not say."""
    try:
        return BackupRequest.from_json(row.request).plan
    except msgspec.ValidationError:
        return PlanOptions()
