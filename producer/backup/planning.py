"""Makes the plan of a backup, or what is missing of it, and writes it into the catalog."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from msgspec.structs import replace

from producer.backup.expected_ratio import ratio_of_volume, ratio_with_compared
from producer.backup.intake.intake import Intake
from producer.backup.kept_plan import Kept
from producer.backup.storing.healing import Healing
from producer.backup.storing.least_filled import least_filled
from producer.backup.storing.state.state import BackupState
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import SnapshotPlan
from producer.observer import Progress
from producer.plan import DeviceRoom, Plan, PlanRequest
from producer.plan.rooms import room_of
from producer.pool.members import Member
from producer.pool.storing.ids import segment_id
from producer.raw.cutting import plan_with_raw_volumes
from producer.raw.ranges import Range
from producer.requests import BackupRequest
from producer.run.session import RunSession
from tasks.errors import UsageError
from tasks.values import MAX_OFFSET_BYTES


def plan_backup(session: RunSession, request: BackupRequest, intake: Intake) -> BackupState:
    """Plan the snapshot of the intake; every segment has a device that is there.

    Raises DeviceFullError when it cannot fit.
    """
    session.observer.progress(
        Progress(phase="planning", files_count=intake.files_count, bytes_total=intake.bytes_total)
    )
    catalog = session.catalog
    _refuse_parity_between_hosts(intake.members, request)
    rooms = _rooms(intake.members, request)
    for room in rooms:
        intake.members[room.name].reserve_bytes = room.reserve_bytes
    plan_request = PlanRequest(
        sizes=intake.sizes,
        ranges_counts=intake.ranges_counts,
        source_starts=intake.source_starts,
        rooms=rooms,
        options=request.plan,
        extents_bytes=intake.extents_bytes,
        expected_ratio=ratio_with_compared(
            ratio_of_volume(catalog, request.volume, request.expect_ratio),
            sum(size for size in intake.sizes if size > 0),
            intake.compared_bytes,
        ),
    )
    if intake.kept is None:
        plan = plan_with_raw_volumes(plan_request, _used_cells(intake))
        # Durable: a prune deletes what is stored of a snapshot only if the catalog knows it.
        with catalog.durable_transaction():
            catalog.snapshots.set_plan(intake.snapshot_id, _snapshot_plan(plan, request, intake))
            catalog.segments.add(intake.snapshot_id, _segments(plan, intake.snapshot_id, 0))
    elif intake.kept.is_everything:
        catalog.snapshots.confirm_plan(intake.snapshot_id)
    else:
        _plan_the_rest(catalog, plan_request, intake, intake.kept)
    borrowed = list(chain.from_iterable(catalog.objects.of(sorted(intake.borrowed)).values()))
    state = BackupState(catalog, intake.snapshot_id, intake.members, borrowed)
    state.load()
    _give_to_present(catalog, state)
    if intake.lost:
        with catalog.transaction():
            Healing(catalog, state).plan(intake.lost)
    return state


def _refuse_parity_between_hosts(members: Mapping[str, Member], request: BackupRequest) -> None:
    """Raises UsageError: the worker that makes parity must reach all devices, to read the objects of a group."""
    hosts = sorted({member.host for member in members.values()} - {""})
    if request.plan.parity and len(hosts) > 1:
        raise UsageError(
            f"--parity needs all devices on one host, and they are on {', '.join(hosts)}",
            hint="use --copies, or leave out the devices of the other hosts",
        )


def _used_cells(intake: Intake, kept: Iterable[tuple[int, int]] = ()) -> dict[int, list[Range]]:
    """The cells to read of each raw volume; none of one that has ``kept`` its segments."""
    firsts = {first for first, _ in kept}
    return {one.entry: [] if one.entry in firsts else one.used_cells for one in intake.raw_volumes.values()}


def _plan_the_rest(catalog: Catalog, request: PlanRequest, intake: Intake, kept: Kept) -> None:
    """Plan the files that no kept segment holds.  The threshold and the bundle limit stay those of the first plan."""
    snapshot = catalog.snapshots.get(intake.snapshot_id)
    sizes, starts = array("q", intake.sizes), set(intake.source_starts)
    for first, stop in kept.ranges:
        # A bundle's range may hold files that are too large for it; they have segments of their own.
        limit_bytes = snapshot.bundle_limit_bytes if stop - first > 1 else MAX_OFFSET_BYTES
        sizes[first:stop] = array("q", [size if size > limit_bytes else -1 for size in sizes[first:stop]])
        # No new bundle reaches across a kept one: its range would take in the kept one's files.
        starts |= {first, stop} if stop < len(sizes) else {first}
    rest = replace(request, sizes=sizes, source_starts=sorted(starts), bundle_limit_bytes=snapshot.bundle_limit_bytes)
    plan = plan_with_raw_volumes(rest, _used_cells(intake, kept.ranges))
    first_number = catalog.segments.next_number(intake.snapshot_id)
    snapshot_plan = SnapshotPlan(
        threshold_bytes=snapshot.threshold_bytes,
        bundle_limit_bytes=snapshot.bundle_limit_bytes,
        unit_bytes=snapshot.unit_bytes,
        block_bytes=snapshot.block_bytes,
        level=snapshot.level,
        entries_count=len(intake.sizes),
        files_count=intake.files_count,
        bytes_source=intake.bytes_total,
        segments_count=len(kept.ranges) + len(plan),
        owner_names=intake.owner_names,
    )
    with catalog.durable_transaction():
        catalog.snapshots.set_plan(intake.snapshot_id, snapshot_plan)
        catalog.segments.add(intake.snapshot_id, _segments(plan, intake.snapshot_id, first_number))


def _give_to_present(catalog: Catalog, state: BackupState) -> None:
    """Reassign what is not stored and was planned for devices that are not there, or cannot be written."""
    gone = {row.device for row in catalog.totals.by_state(state.snapshot_id)} - {member.name for member in state.live}
    rows = [row for device in gone for row in state.unfinished(device)]
    targets = least_filled(catalog, state, sorted(rows, key=lambda row: row.number))
    for device in gone:
        state.move(device, {row.number: targets[row.number] for row in rows if row.device == device})


def _rooms(members: Mapping[str, Member], request: BackupRequest) -> tuple[DeviceRoom, ...]:
    """In the order of the request, not of the answers: the same request gives the same plan."""
    present = [members[name] for name in request.devices if name in members and members[name].is_live]
    return tuple(room_of(member.name, member.capacity_bytes, member.free_bytes, request.plan) for member in present)


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
        owner_names=intake.owner_names,
    )


def _segments(plan: Plan, snapshot_id: str, first_number: int) -> Iterator[NewSegment]:
    for number, row in enumerate(plan, first_number):
        yield NewSegment(
            number=number,
            segment_id=segment_id(snapshot_id, number, row.first_entry, row.stop_entry, row.offset_bytes),
            device=row.device,
            first_entry=row.first_entry,
            stop_entry=row.stop_entry,
            offset_bytes=row.offset_bytes,
            size_bytes=row.size_bytes,
        )
