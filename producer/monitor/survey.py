"""Everything that the page and the metrics show, read at one moment from the catalog; asks no device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.checks import VolumeCheck
from producer.catalog.tables.devices import DeviceRow, without_replaced
from producer.catalog.tables.reservations import ReservationRow
from producer.catalog.tables.runs import RunRow
from producer.monitor.at_work import Process, at_work
from producer.monitor.expected import Expected
from producer.monitor.fleet import FleetStatus
from producer.monitor.other_runs import OtherRun, other_runs
from producer.monitor.overview import VolumeStatus, upkeep, volumes_of
from producer.monitor.running import RunningBackup, running_backups
from producer.monitor.space.at_risk import at_risk
from producer.monitor.space.sums import Sums, sums
from producer.monitor.verdict import Verdict, verdict
from producer.ownership.verdict import living_locks
from producer.summaries import DeviceRisk


class Survey(Struct, frozen=True, kw_only=True):
    at: datetime
    verdict: Verdict
    #: By name.
    volumes: tuple[VolumeStatus, ...]
    #: The scheduled checks and prunes, soonest first.
    upkeep: tuple[ReservationRow, ...]
    running: tuple[RunningBackup, ...]
    #: Restores, checks and the like.
    others: tuple[OtherRun, ...]
    #: Those of all these runs.
    processes: frozenset[Process]
    #: By name; of equal names the one recorded last comes first.
    devices: tuple[DeviceRow, ...]
    sums: Sums
    #: Device → what of the newest snapshots would be lost with it; None: nobody knows.
    at_risk: Mapping[str, DeviceRisk] | None
    #: The newest check that has ended.
    last_check: RunRow | None
    #: Volume → its last check of structure, and its last one of every byte; the newest first.
    volume_checks: Mapping[str, Sequence[VolumeCheck]]
    #: None without a configured broker.
    fleet: FleetStatus | None


def survey(
    catalog: Catalog,
    fleet: FleetStatus | None = None,
    *,
    expected: Expected | None = None,
    kept: Sums | None = None,
    now: datetime | None = None,
) -> Survey:
    """As of ``now``.

    ``fleet``: what the broker says, if one is configured; ``expected``: by the configuration; ``kept``: sums of some
    seconds ago, which save time.
    """
    now = now or datetime.now(UTC)
    with catalog.reading():
        known, reservations, locks = catalog.devices.all(), catalog.reservations.all(), living_locks(catalog)
        rows = volumes_of(catalog, known, reservations, locks)
        devices, scheduled = without_replaced(known), upkeep(reservations)
        # A check is of no volume.
        last_check = catalog.runs.newest("check", "")
        running = running_backups(catalog, rows)
        others = other_runs(locks.values())
        volume_checks = catalog.checks.by_volume()
        kept = kept or sums(catalog)
    return Survey(
        at=now,
        verdict=verdict(rows, devices, last_check, now, expected, scheduled),
        volumes=tuple(rows),
        upkeep=tuple(scheduled),
        running=running,
        others=others,
        processes=at_work(locks.values()),
        devices=tuple(devices),
        sums=kept,
        at_risk=at_risk(rows),
        last_check=last_check,
        volume_checks=volume_checks,
        fleet=fleet,
    )


def judged_again(
    last: Survey, fleet: FleetStatus | None, *, expected: Expected | None, kept: Sums, now: datetime | None = None
) -> Survey:
    """The survey of a catalog that has not changed since ``last``, in which nothing ran: time has passed."""
    now = now or datetime.now(UTC)
    found = verdict(last.volumes, last.devices, last.last_check, now, expected, last.upkeep)
    return replace(last, at=now, verdict=found, fleet=fleet, sums=kept)
