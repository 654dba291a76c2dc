"""Seals a snapshot: its manifest goes to every live device, the head last; then the catalog says so.

The head commits.  A device that has it can give the snapshot back without the catalog.
"""

from __future__ import annotations

import base64
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import msgspec
from blake3 import blake3

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.manifest import (
    ManifestDevice,
    ManifestHead,
    ManifestPart,
    ManifestSegment,
    ManifestSource,
    ManifestTotals,
    ManifestTrouble,
    encode_head,
    encode_segments,
    encode_troubles,
    head_name,
    part_name,
)
from producer.observer import Trouble
from producer.pool.members import Member
from producer.requests import PlanOptions
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.errors import DeviceError, Reason
from tasks.orders import Order, PutManifest
from tasks.receipts import ExtentNote, Failure, Receipt

#: A part is up to 4 MiB, and 5.6 MB as text: few of them at a time keep the broker small.
_WINDOW_COUNT = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """One manifest file: its entry in the head, and its bytes."""

    part: ManifestPart
    data: bytes


def seal(
    session: RunSession,
    snapshot: SnapshotRow,
    options: PlanOptions,
    source_starts: Sequence[int],
    members: Mapping[str, Member],
) -> None:
    """Write the manifest to the live devices, then seal the snapshot.

    A device that dies or refuses is told as a trouble; the others suffice.  Raises DeviceError when none takes it.
    Repeating it writes the same parts again.
    """
    devices = _devices(session, snapshot, members)
    index = {device.device_id: place for place, device in enumerate(devices)}
    sealed_at = datetime.now(UTC)
    parts = tuple(file.part for file in _files(session, snapshot, index))
    head = encode_head(_head(snapshot, options, source_starts, devices, parts, sealed_at))
    live = [member for member in members.values() if member.is_live]

    def part_orders(member: Member) -> Iterator[Order]:
        return (_put(session, member, file.part.name, file.data) for file in _files(session, snapshot, index))

    taken = _write(session, live, part_orders)
    # The head commits, on the devices: not for a snapshot that lacks a segment, nor over the head of another run that
    # has taken the locks.
    session.catalog.snapshots.confirm_complete(snapshot.snapshot_id)
    name = head_name(snapshot.snapshot_id)
    taken = _write(session, taken, lambda member: [_put(session, member, name, head)])
    if not taken:
        raise DeviceError(
            "no device took the manifest", hint="the segments are stored; run the same command again to seal them"
        )
    session.catalog.snapshots.seal(snapshot.snapshot_id, sealed_at, blake3(head).digest())
    _note_what_is_away(session, devices, {member.device_id for member in live})


def _note_what_is_away(session: RunSession, devices: Iterable[ManifestDevice], live_ids: Collection[str]) -> None:
    for device in devices:
        if device.segments_count and device.device_id not in live_ids:
            session.observer.note(
                f"{device.segments_count} segments of this snapshot lie on device {device.name}, which is away: "
                "until it is back, a restore lacks them"
            )


def _write(
    session: RunSession, members: Iterable[Member], orders_for: Callable[[Member], Iterable[Order]]
) -> list[Member]:
    """Send each device its orders, twice if it fails one; those that fail again are lost.  Returns the others."""
    left = list(members)
    failures = _send(session, {member.name: orders_for(member) for member in left})
    again = [member for member in left if member.name in failures and member.name in session.courier.live]
    if again:
        failures = {name: why for name, why in failures.items() if name not in session.courier.live}
        failures |= _send(session, {member.name: orders_for(member) for member in again})
    for member in left:
        if member.name in failures:
            _lose(session, member, failures[member.name])
    return [member for member in left if member.name not in failures]


def _send(session: RunSession, orders: Mapping[str, Iterable[Order]]) -> dict[str, Failure]:
    """Send the orders; returns the devices that did not carry out all of theirs, and why."""
    failures: dict[str, Failure] = {}

    def note(order: Order, receipt: Receipt) -> None:
        if receipt.failure is not None:
            failures[order.device] = receipt.failure

    died = run_wave(session, orders, note, window_count=_WINDOW_COUNT)
    return failures | {
        name: Failure(reason=Reason.DEVICE, code=DeviceError.code, message=why) for name, why in died.items()
    }


def _lose(session: RunSession, member: Member, failure: Failure) -> None:
    member.state = "full" if failure.reason is Reason.FULL else "dead"
    session.catalog.devices.set_state(member.device_id, member.state, failure.message)
    message = f"device {member.name} is {member.state}, and has no manifest of this snapshot: {failure.message}"
    session.observer.trouble(Trouble(code="manifest", message=message))


def _put(session: RunSession, member: Member, name: str, data: bytes) -> PutManifest:
    return PutManifest(
        order_id=uuid.uuid4().hex,
        name=name,
        data_base64=base64.b64encode(data).decode("ascii"),
        digest=blake3(data).hexdigest(),
        **session.order_fields(member.name, device_id=member.device_id, epoch=member.epoch),
    )


def _files(session: RunSession, snapshot: SnapshotRow, device_index: Mapping[str, int]) -> Iterator[_File]:
    """All parts in order, one in memory at a time; the same bytes at each call."""
    number = 0
    for row in session.catalog.listing.parts(snapshot.snapshot_id):
        yield _file(snapshot, number, "listing", row.data, row.first_entry, row.entries_count)
        number += 1
    rows = (_manifest_row(row, device_index) for row in session.catalog.segments.stored(snapshot.snapshot_id))
    for data in encode_segments(rows):
        yield _file(snapshot, number, "segments", data)
        number += 1
    for data in encode_troubles(_trouble_rows(session.catalog, snapshot)):
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
) -> _File:
    part = ManifestPart(
        name=part_name(snapshot.snapshot_id, number),
        kind=kind,  # type: ignore[arg-type]
        size_bytes=len(data),
        blake3=blake3(data).hexdigest(),
        first_entry=first_entry,
        entries_count=entries_count,
    )
    return _File(part=part, data=data)


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


def _devices(session: RunSession, snapshot: SnapshotRow, members: Mapping[str, Member]) -> tuple[ManifestDevice, ...]:
    """The devices that take part, and those that hold segments but are away now."""
    segments_counts: Counter[str] = Counter()
    bytes_stored: Counter[str] = Counter()
    for row in session.catalog.segments.stored(snapshot.snapshot_id):
        assert row.device_id is not None
        segments_counts[row.device_id] += 1
        bytes_stored[row.device_id] += row.bytes_stored
    names = {member.device_id: member.name for member in members.values()}
    for device in session.catalog.devices.all():
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


def _head(
    snapshot: SnapshotRow,
    options: PlanOptions,
    source_starts: Sequence[int],
    devices: tuple[ManifestDevice, ...],
    parts: tuple[ManifestPart, ...],
    sealed_at: datetime,
) -> ManifestHead:
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
    )


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
