"""A backup up to its plan: walk, ask the devices, plan; nothing is stored and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from producer.backup.entries import Entries
from producer.backup.expected_ratio import ratio_of_volume, ratio_with_compared
from producer.backup.intake.fewer_files import refuse_sudden_emptiness
from producer.backup.own_state import own_files
from producer.backup.parent.choose import merge_with, parent_in_pool
from producer.backup.parent.merged import FileCounts
from producer.listing import ListingReader, decode_part
from producer.observer import Observer, Progress
from producer.plan import DeviceRoom, Plan, PlanRequest
from producer.plan.rooms import room_of
from producer.pool.decide import PoolDecision, decide_pool, refuse_new
from producer.pool.device_reports import DeviceReports, ask_for_reports
from producer.pool.known import known_devices
from producer.pool.left_out import tell_left_out
from producer.raw.cutting import plan_with_raw_volumes
from producer.raw.raw_volumes import look_at_raw_volumes
from producer.requests import BackupRequest
from producer.run.environment import Environment
from producer.run.preflight import check_mounts
from producer.run.session import RunNeeds, RunSession, open_session
from producer.walk import Walk, limit_of_environment


class DryRun(Struct, frozen=True, kw_only=True):
    plan: Plan
    #: The entries that the plan's segments speak of.
    entries: ListingReader
    #: The snapshot that the sources were compared with; "" for none.
    parent_id: str
    counts: FileCounts
    #: Device → where it stands; "" where nobody said.
    sites: Mapping[str, str]

    def path_of(self, entry: int) -> str:
        """Path in the snapshot of the entry of that index."""
        return self.entries.entry(entry).snapshot_path


def dry_run(request: BackupRequest, observer: Observer, environment: Environment) -> DryRun:
    """What :func:`producer.backup.backup.back_up` would plan for this request; raises what that raises.

    Keeps the listing in memory, compressed: some 25 bytes for each entry.
    """
    check_mounts(request.required_mounts)
    with open_session(
        RunNeeds(devices=request.devices, purpose=f"plan of {request.volume}"), observer, environment
    ) as session:
        asked = ask_for_reports(session)
        walk, entries = _walked(session, request, environment)
        refuse_sudden_emptiness(session.catalog, request, walk.files_counts, None)
        sites = {name: report.site for name, report in asked.wait().items()}
        decision = _decide(session, asked, request)
        # Nobody is asked whether segments are still there: that takes orders.
        parent = parent_in_pool(session.catalog, request, decision.pool_id)
        merge = merge_with(session, request, parent, {}) if parent is not None else None
        entries.begin(merge)
        entries.finish()
        ratio = ratio_with_compared(
            ratio_of_volume(session.catalog, request.volume, request.expect_ratio),
            sum(size for size in entries.sizes if size > 0),
            0 if merge is None else merge.compared_bytes,
        )
    plan = _plan(request, walk, entries, _rooms(decision, asked, request), ratio)
    parts = entries.take_parts()
    return DryRun(
        plan=plan,
        entries=ListingReader([part.first_entry for part in parts], lambda number: decode_part(parts[number].data)),
        parent_id=parent.snapshot_id if parent is not None and merge is not None else "",
        counts=FileCounts(new=walk.files_count) if merge is None else merge.counts,
        sites=sites,
    )


def _walked(session: RunSession, request: BackupRequest, environment: Environment) -> tuple[Walk, Entries]:
    walk, entries = (
        Walk(
            request.sources,
            request.exclusions,
            on_trouble=session.observer.trouble,
            on_progress=_progress_of(session),
            limit_s=limit_of_environment(),
            left_out=own_files(request, environment),
        ),
        Entries(),
    )
    for walked in walk.walked():
        entries.add(walked)
    return walk, entries


def _plan(request: BackupRequest, walk: Walk, entries: Entries, rooms: tuple[DeviceRoom, ...], ratio: float) -> Plan:
    raw_volumes, _ = look_at_raw_volumes(request, walk.first_entries, walk.sizes)
    return plan_with_raw_volumes(
        PlanRequest(
            sizes=entries.sizes,
            ranges_counts=entries.ranges_counts(walk.ranges_counts),
            source_starts=walk.source_starts,
            rooms=rooms,
            options=request.plan,
            expected_ratio=ratio,
            extents_bytes=entries.extents_bytes,
        ),
        # All that a first backup would store: what earlier segments hold is known only once all has been read.
        {row.entry: row.used_cells for row in raw_volumes.values()},
    )


def _progress_of(session: RunSession) -> Callable[[int, int], None]:
    def on_progress(files_count: int, bytes_total: int) -> None:
        session.interrupt.check()
        session.observer.progress(Progress(phase="walking", files_count=files_count, bytes_total=bytes_total))

    return on_progress


def _decide(session: RunSession, asked: DeviceReports, request: BackupRequest) -> PoolDecision:
    decision = decide_pool(asked.reports, session.paths, known_devices(session.catalog), asked.hosts)
    if not request.new_devices:
        refuse_new(decision, session.paths)
    tell_left_out(session, decision)
    return decision


def _rooms(decision: PoolDecision, asked: DeviceReports, request: BackupRequest) -> tuple[DeviceRoom, ...]:
    """The devices that a backup would use now."""
    return tuple(
        room_of(name, asked.reports[name].capacity_bytes, asked.reports[name].free_bytes, request.plan)
        for name in request.devices
        if name in decision.ready or name in decision.adopt
    )
