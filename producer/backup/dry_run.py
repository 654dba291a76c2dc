"""A backup up to its plan: walk, ask the devices, plan; nothing is stored and nothing is recorded."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from producer.backup.expected_ratio import ratio_of_volume
from producer.backup.fewer_files import refuse_sudden_emptiness
from producer.backup.own_state import own_files
from producer.listing import ListingPart, ListingReader
from producer.observer import Observer, Progress, Trouble
from producer.plan import DeviceRoom, Plan, PlanRequest
from producer.plan.rooms import room_of
from producer.pool.decide import decide_pool, refuse_new
from producer.pool.device_reports import DeviceReports, ask_for_reports
from producer.pool.known import known_devices
from producer.raw.cutting import plan_with_raw_volumes
from producer.raw.raw_volumes import look_at_raw_volumes
from producer.requests import BackupRequest
from producer.run.environment import Environment
from producer.run.preflight import check_mounts
from producer.run.session import RunNeeds, RunSession, open_session
from producer.walk import Walk, limit_of_environment


@dataclass(frozen=True, kw_only=True)
class DryRun:
    plan: Plan
    #: The entries that the plan's segments speak of.
    entries: ListingReader

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
        walk, parts = _walk(session, request, own_files(request, environment))
        refuse_sudden_emptiness(session.catalog, request, walk.files_counts, None)
        asked.wait()
        rooms = _rooms(session, asked, request)
        ratio = ratio_of_volume(session.catalog, request.volume, request.expect_ratio)
    raw_volumes, _ = look_at_raw_volumes(request, walk.first_entries, walk.sizes)
    plan = plan_with_raw_volumes(
        PlanRequest(
            sizes=walk.sizes,
            ranges_counts=walk.ranges_counts,
            source_starts=walk.source_starts,
            rooms=rooms,
            options=request.plan,
            expected_ratio=ratio,
        ),
        # All that a first backup would store: what earlier segments hold is known only once all has been read.
        {row.entry: row.used_cells for row in raw_volumes.values()},
    )
    entries = ListingReader([part.first_entry for part in parts], lambda number: parts[number].data)
    return DryRun(plan=plan, entries=entries)


def _walk(session: RunSession, request: BackupRequest, left_out: Collection[Path]) -> tuple[Walk, list[ListingPart]]:
    def on_progress(files_count: int, bytes_total: int) -> None:
        session.interrupt.check()
        session.observer.progress(Progress(phase="walking", files_count=files_count, bytes_total=bytes_total))

    walk = Walk(
        request.sources,
        request.exclusions,
        on_trouble=session.observer.trouble,
        on_progress=on_progress,
        limit_s=limit_of_environment(),
        left_out=left_out,
    )
    return walk, list(walk.parts())


def _rooms(session: RunSession, asked: DeviceReports, request: BackupRequest) -> tuple[DeviceRoom, ...]:
    """The devices that a backup would use now; the others are reported as troubles."""
    decision = decide_pool(asked.reports, session.paths, known_devices(session.catalog), asked.hosts)
    if not request.new_devices:
        refuse_new(decision, session.paths)
    for name, why in decision.absent.items():
        session.observer.trouble(Trouble(code="device-absent", message=f"device {name} is absent: {why}"))
    return tuple(
        room_of(name, asked.reports[name].capacity_bytes, asked.reports[name].free_bytes, request.plan)
        for name in request.devices
        if name in decision.ready or name in decision.adopt
    )
