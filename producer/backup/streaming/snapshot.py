"""The snapshot of a stream: one source, which is one file, whose size is known at its end."""

from __future__ import annotations

import os
import platform
import uuid
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from producer.backup.intake.intake import Intake
from producer.backup.intake.settle_pool import ask_devices, settle_pool
from producer.backup.parent.merged import FileCounts
from producer.backup.streaming.spool import piece_name
from producer.catalog.tables.listing import ListingPartRow
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotPlan, SourceRow
from producer.listing import EntryBatch, ListingWriter
from producer.plan.rooms import room_of
from producer.requests import BackupRequest
from producer.run.session import RunSession
from producer.walk.owners import OwnersSeen
from tasks.values import MAX_FILE_BYTES

_MODE = 0o600


def begin(session: RunSession, request: BackupRequest) -> Intake:
    """Ask the devices, and begin a snapshot in the catalog; its file has no end yet.

    Raises UsageError, NotADeviceError, DeviceError, LockedError, InterruptedRun.
    """
    asked = ask_devices(session)
    asked.wait()
    pool = settle_pool(session, request, None, asked)
    for member in pool.members.values():
        room = room_of(member.name, member.capacity_bytes, member.free_bytes, request.plan)
        member.reserve_bytes = room.reserve_bytes
    intake = Intake(
        snapshot_id=uuid.uuid4().hex,
        members=pool.members,
        absent=pool.absent,
        new=pool.new,
        # No worker is asked whether it is empty.
        sizes=array("q", [MAX_FILE_BYTES]),
        walked_sizes=array("q", [MAX_FILE_BYTES]),
        ranges_counts={},
        source_starts=[0],
        files_count=1,
        files_fewer=0,
        bytes_total=0,
        kept=None,
        owner_names=_owners().names(),
        raw_volumes={},
        # Nothing of a stream is known before it is read.
        parent_id="",
        counts=FileCounts(new=1),
        borrowed=frozenset(),
        spooled=piece_name,
    )
    snapshot = NewSnapshot(
        snapshot_id=intake.snapshot_id,
        pool_id=pool.pool_id,
        volume=request.volume,
        mode=request.read_mode,
        hostname=platform.node(),
        tags=request.tags,
        description=request.description,
        # Not the command: its arguments may be secret, and this goes to every device.
        sources=tuple(SourceRow(name=source.name, path=source.name) for source in request.sources),
        request=request.to_json(),
        started_at=datetime.now(UTC),
        copies=request.plan.copies,
        parity=request.plan.parity,
    )
    with session.catalog.transaction():
        session.catalog.snapshots.begin(snapshot)
        _record(session, request, intake, MAX_FILE_BYTES)
    return intake


def finish(session: RunSession, request: BackupRequest, intake: Intake, size_bytes: int) -> Intake:
    """Record the size of the stream, which has ended."""
    with session.catalog.transaction():
        _record(session, request, intake, size_bytes)
    return replace(intake, bytes_total=size_bytes)


def _record(session: RunSession, request: BackupRequest, intake: Intake, size_bytes: int) -> None:
    catalog, segment_bytes = session.catalog, request.plan.segment_bytes
    catalog.listing.replace(intake.snapshot_id, _listing(request.sources[0].name, size_bytes))
    catalog.snapshots.set_plan(
        intake.snapshot_id,
        SnapshotPlan(
            # Nobody knows the sum of the sizes when the first segment is stored.
            threshold_bytes=segment_bytes,
            bundle_limit_bytes=0,
            unit_bytes=request.plan.unit_bytes,
            block_bytes=request.plan.block_bytes,
            level=request.level,
            entries_count=1,
            files_count=1,
            bytes_source=size_bytes,
            segments_count=catalog.segments.next_number(intake.snapshot_id),
            owner_names=intake.owner_names,
        ),
    )


def _owners() -> OwnersSeen:
    owners = OwnersSeen()
    owners.add([os.geteuid()], [os.getegid()])
    return owners


def _listing(source: str, size_bytes: int) -> Iterator[ListingPartRow]:
    now_ns = int(datetime.now(UTC).timestamp() * 1_000_000_000)
    batch = EntryBatch(
        source=source,
        directory="",
        first_entry=0,
        names=[""],
        kinds="f",
        modes=[_MODE],
        uids=[os.geteuid()],
        gids=[os.getegid()],
        mtimes_ns=[now_ns],
        ctimes_ns=[now_ns],
        sizes_bytes=[size_bytes],
        inodes=[0],
        links={},
        device_numbers={},
    )
    writer = ListingWriter()
    for part in (*writer.add(batch), *writer.flush()):
        yield ListingPartRow(
            number=part.number, first_entry=part.first_entry, entries_count=part.entries_count, data=part.data
        )
