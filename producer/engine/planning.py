"""Makes the plan of a backup and writes it into the catalog."""

from __future__ import annotations

from collections.abc import Iterator

from producer.catalog.catalog import Catalog
from producer.catalog.rows import NewSegment, SnapshotPlan
from producer.engine.feed import segment_id
from producer.engine.intake import Intake
from producer.engine.members import Member
from producer.engine.session import Session
from producer.observer import Progress
from producer.plan import DeviceRoom, Plan, PlanRequest, expected_ratio, make_plan, reserve_bytes
from producer.requests import BackupRequest, PlanOptions

#: As many of the volume's last snapshots tell how well it compresses.
_SNAPSHOTS_COUNT = 5


def plan_backup(session: Session, request: BackupRequest, intake: Intake) -> None:
    """Plan the snapshot of the intake; the members get their loads.  Raises DeviceFullError when it cannot fit."""
    session.observer.progress(
        Progress(phase="planning", files_count=intake.files_count, bytes_total=intake.bytes_total)
    )
    plan = make_plan(
        PlanRequest(
            sizes=intake.sizes,
            source_starts=intake.source_starts,
            rooms=tuple(_room(member, request.plan) for member in intake.members.values()),
            options=request.plan,
            expected_ratio=expected_ratio(last_ratios(session.catalog, request.volume)),
        )
    )
    catalog = session.catalog
    with catalog.transaction():
        catalog.set_plan(intake.snapshot_id, _snapshot_plan(plan, request, intake))
        catalog.add_segments(intake.snapshot_id, _segments(plan, intake.snapshot_id))
    for name, load_bytes in plan.loads_bytes.items():
        intake.members[name].load_bytes = load_bytes
    for index, room in enumerate(plan.rooms):
        intake.members[room.name].load_segments = plan.devices.count(index)


def last_ratios(catalog: Catalog, volume: str) -> list[tuple[int, int]]:
    """(source, stored) bytes of the volume's last snapshots."""
    rows = [row for row in catalog.snapshots() if row.volume == volume]
    return [(row.bytes_source, row.bytes_stored) for row in rows[-_SNAPSHOTS_COUNT:]]


def _room(member: Member, options: PlanOptions) -> DeviceRoom:
    return DeviceRoom(
        name=member.name,
        capacity_bytes=member.capacity_bytes,
        free_bytes=member.free_bytes,
        reserve_bytes=reserve_bytes(member.capacity_bytes, options.reserve_bytes),
    )


def _snapshot_plan(plan: Plan, request: BackupRequest, intake: Intake) -> SnapshotPlan:
    return SnapshotPlan(
        threshold_bytes=plan.threshold_bytes,
        bundle_limit_bytes=plan.bundle_limit_bytes,
        unit_bytes=request.plan.unit_bytes,
        block_bytes=request.plan.block_bytes,
        level=request.level,
        entries_count=len(intake.sizes),
        files_count=intake.files_count,
        bytes_source=intake.bytes_total,
        segments_count=len(plan),
    )


def _segments(plan: Plan, snapshot_id: str) -> Iterator[NewSegment]:
    for row in plan:
        yield NewSegment(
            number=row.number,
            segment_id=segment_id(snapshot_id, row.number, row.first_entry, row.stop_entry, row.offset_bytes),
            device=row.device,
            first_entry=row.first_entry,
            stop_entry=row.stop_entry,
            offset_bytes=row.offset_bytes,
            size_bytes=row.size_bytes,
        )
