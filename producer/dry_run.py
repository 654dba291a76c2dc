"""A backup up to its plan: walk, ask the devices, plan; nothing is stored and nothing is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from producer.catalog.catalog import Catalog
from producer.engine.devices import survey
from producer.engine.environment import Environment
from producer.listing import ListingPart, ListingReader
from producer.observer import Observer, Progress
from producer.plan import DeviceRoom, Plan, PlanRequest, expected_ratio, make_plan, reserve_bytes
from producer.requests import BackupRequest, PlanOptions
from producer.walk import Walk

#: As many of the volume's last snapshots tell how well it compresses.
_SNAPSHOTS_COUNT = 5


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """``names`` gives the entries that the plan's segments speak of."""

    plan: Plan
    names: ListingReader
    files_count: int


def dry_run(request: BackupRequest, observer: Observer, environment: Environment) -> DryRun:
    """What :func:`producer.engine.backup.back_up` would plan for this request.

    Raises UsageError, NotADeviceError and DeviceFullError as that does.  Holds the listing in memory, compressed:
    some 25 bytes for each entry.
    """
    rooms = _rooms(request.devices, request.plan, observer, environment)
    walk = Walk(
        request.sources,
        request.exclusions,
        on_trouble=observer.trouble,
        on_progress=lambda files, size: observer.progress(
            Progress(phase="walking", files_count=files, bytes_total=size)
        ),
    )
    parts = list(walk.parts())
    plan = make_plan(
        PlanRequest(
            sizes=walk.sizes,
            source_starts=walk.source_starts,
            rooms=rooms,
            options=request.plan,
            expected_ratio=expected_ratio(_last_ratios(request.volume, environment)),
        )
    )
    return DryRun(plan=plan, names=_reader(parts), files_count=walk.files_count)


def _rooms(
    devices: Mapping[str, Path], options: PlanOptions, observer: Observer, environment: Environment
) -> tuple[DeviceRoom, ...]:
    return tuple(
        DeviceRoom(
            name=row.name,
            capacity_bytes=row.capacity_bytes,
            free_bytes=row.free_bytes,
            reserve_bytes=reserve_bytes(row.capacity_bytes, options.reserve_bytes),
        )
        for row in survey(dict(devices), observer, environment)
    )


def _last_ratios(volume: str, environment: Environment) -> list[tuple[int, int]]:
    with Catalog(environment.catalog) as catalog:
        rows = [row for row in catalog.snapshots() if row.volume == volume]
    return [(row.bytes_source, row.bytes_stored) for row in rows[-_SNAPSHOTS_COUNT:]]


def _reader(parts: list[ListingPart]) -> ListingReader:
    return ListingReader([part.first_entry for part in parts], lambda number: parts[number].data)
