"""What a manifest says of a snapshot: its parts and its head, out of the catalog."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import msgspec
from blake3 import blake3

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow
from producer.manifest import (
    ManifestDevice,
    ManifestHead,
    ManifestLack,
    ManifestPart,
    ManifestSegment,
    ManifestSource,
    ManifestTotals,
    ManifestTrouble,
    encode_segments,
    encode_troubles,
    part_name,
)
from producer.pool.members import Member
from producer.requests import PlanOptions
from tasks.receipts import ExtentNote


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestFile:
    """One manifest file: its entry in the head, and its bytes."""

    part: ManifestPart
    data: bytes


def manifest_files(catalog: Catalog, snapshot: SnapshotRow, device_index: Mapping[str, int]) -> Iterator[ManifestFile]:
    """All parts in order, one in memory at a time; the same bytes at each call."""
    number = 0
    for row in catalog.listing.parts(snapshot.snapshot_id):
        yield _file(snapshot, number, "listing", row.data, row.first_entry, row.entries_count)
        number += 1
    rows = (_manifest_row(row, device_index) for row in catalog.segments.stored(snapshot.snapshot_id))
    for data in encode_segments(rows):
        yield _file(snapshot, number, "segments", data)
        number += 1
    for data in encode_troubles(_trouble_rows(catalog, snapshot)):
        yield _file(snapshot, number, "troubles", data)
        number += 1


def _trouble_rows(catalog: Catalog, snapshot: SnapshotRow) -> Iterator[ManifestTrouble]:
    listing = catalog.listing.reader(snapshot.snapshot_id)
    for row in catalog.troubles.all(snapshot.snapshot_id):
        path = row.path if row.entry_index is None else listing.entry(row.entry_index).snapshot_path
        entry = -1 if row.entry_index is None else row.entry_index
        yield ManifestTrouble(entry=entry, path=path, code=row.code, message=row.message)


def _file(
    snapshot: SnapshotRow, number: int, kind: str, data: bytes, first_entry: int = 0, entries_count: int = 0
) -> ManifestFile:
    part = ManifestPart(
        name=part_name(snapshot.snapshot_id, number),
        kind=kind,  # type: ignore[arg-type]
        size_bytes=len(data),
        blake3=blake3(data).hexdigest(),
        first_entry=first_entry,
        entries_count=entries_count,
    )
    return ManifestFile(part=part, data=data)


def _manifest_row(row: SegmentRow, device_index: Mapping[str, int]) -> ManifestSegment:
    assert row.device_id is not None
    return ManifestSegment(
        number=row.number,
        segment_id=row.segment_id,
        device=device_index[row.device_id],
        first_entry=row.first_entry,
        stop_entry=row.stop_entry,
        offset_bytes=row.offset_bytes,
        size_bytes=row.size_bytes,
        bytes_stored=row.bytes_stored,
        trailer_digest=row.proof,
        notes=msgspec.convert(row.notes, tuple[ExtentNote, ...]),
        stream_offset_bytes=row.stream_offset_bytes,
        cell_digests=row.cell_digests or b"",
    )


def manifest_devices(catalog: Catalog, snapshot_id: str, members: Mapping[str, Member]) -> tuple[ManifestDevice, ...]:
    """The devices that take part, and those that hold segments but are away now."""
    segments_counts: Counter[str] = Counter()
    bytes_stored: Counter[str] = Counter()
    for row in catalog.segments.stored(snapshot_id):
        assert row.device_id is not None
        segments_counts[row.device_id] += 1
        bytes_stored[row.device_id] += row.bytes_stored
    names = {member.device_id: member.name for member in members.values()}
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
    source_starts: Sequence[int],
    devices: tuple[ManifestDevice, ...],
    parts: tuple[ManifestPart, ...],
    lacks: Sequence[LackRow],
    sealed_at: datetime,
) -> ManifestHead:
    """The head that names these parts; ``lacks``: what cannot be restored now."""
    return ManifestHead(
        snapshot_id=snapshot.snapshot_id,
        pool_id=snapshot.pool_id,
        volume=snapshot.volume,
        mode=snapshot.mode,  # type: ignore[arg-type]
        started=_rfc3339(snapshot.started_at),
        ended=_rfc3339(sealed_at),
        hostname=snapshot.hostname,
        program_version=version("segfleet"),
        tags=snapshot.tags,
        sources=tuple(
            ManifestSource(name=source.name, path=source.path, mode=source.mode) for source in snapshot.sources
        ),
        source_starts=tuple(source_starts),
        split=options.split,
        order=options.order,
        threshold_bytes=snapshot.threshold_bytes,
        bundle_limit_bytes=snapshot.bundle_limit_bytes,
        unit_bytes=snapshot.unit_bytes,
        block_bytes=snapshot.block_bytes,
        level=snapshot.level,
        devices=devices,
        totals=ManifestTotals(
            files_count=snapshot.files_count,
            bytes_source=snapshot.bytes_source,
            bytes_stored=sum(device.bytes_stored for device in devices),
            segments_count=sum(device.segments_count for device in devices),
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
    )


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
