"""The devices that take part in a run, with what the run must know of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow, DeviceState, without_replaced
from producer.pool.decide import PoolDecision, is_read_only, is_readable
from tasks.receipts import DeviceReport


class Member(Struct):
    """One device of the pool.  Changed by the run's thread only; the catalog has the lasting copy."""

    name: str
    device_id: str
    epoch: int
    state: DeviceState
    capacity_bytes: int
    free_bytes: int
    #: Bytes that the plan keeps free.
    reserve_bytes: int = 0
    #: When the run lost the device, on the monotonic clock.
    lost_at_s: float = 0.0
    #: Of the worker that described it.
    host: str = ""
    #: False once its workers did not find a source of the run, or files of one, which others may find.
    sees_sources: bool = True
    #: False once the run has lost the device, until it answers again: whether what it holds can be restored now.
    is_readable: bool = True
    #: Whether it knows a generation of the catalog that the catalog does not: then that is an old copy.
    is_ahead: bool = False

    @property
    def is_live(self) -> bool:
        return self.state == "live"

    @property
    def room_bytes(self) -> int:
        return max(0, self.free_bytes - self.reserve_bytes)


def record_absent(catalog: Catalog, decision: PoolDecision) -> None:
    """Record which devices of the pool are not there, and why."""
    # Of two devices with one name the one recorded last is meant; the catalog returns it first.
    rows = {row.name: row for row in reversed(catalog.devices.all(decision.pool_id)) if row.state != "lost"}
    for name in decision.absent.keys() & rows.keys():
        catalog.devices.set_state(rows[name].device_id, "absent", decision.absent[name])


def record_not_found(catalog: Catalog, absent: Mapping[str, str], paths: Mapping[str, Path]) -> None:
    """Record that these devices are not where the catalog knows them: name → why.

    Of one that was looked for elsewhere nothing is known.  If the catalog cannot be written now, the next run records
    it.
    """
    for row in () if catalog.why_read_only else catalog.devices.all():
        is_known_there = row.state in ("live", "full", "read-only") and str(paths.get(row.name)) == row.path
        if row.name in absent and is_known_there:
            catalog.devices.set_state(row.device_id, "absent", absent[row.name])


def record_returned(catalog: Catalog, reports: Iterable[DeviceReport]) -> None:
    """Note in the catalog which devices are back that were dead, absent or lost when it heard of them last.

    One that is there but cannot be written is read-only.  One that was lost stays so while another device of its pool
    bears its name.  If the catalog cannot be written now, the next run records it.
    """
    if catalog.why_read_only:
        return
    there = {report.device_id: report for report in reports if is_readable(report)}
    for row in without_replaced(catalog.devices.all()):
        report = there.get(row.device_id)
        if report is None:
            continue
        if is_read_only(report):
            catalog.devices.set_state(row.device_id, "read-only", report.detail)
        elif row.state in ("dead", "absent", "lost", "read-only"):
            catalog.devices.set_state(row.device_id, "live", "")


def record_members(
    catalog: Catalog,
    decision: PoolDecision,
    reports: Mapping[str, DeviceReport],
    paths: Mapping[str, Path],
    published_epoch: Callable[[str], int],
) -> dict[str, Member]:
    """Write the devices that are there into the catalog; returns them by name, live or read-only, with their epochs.

    A device's id is the one in its marker: another run may have written it first.
    ``published_epoch``: device id → what workers compare orders with.  It is ahead of a catalog that was lost and
    made again, or comes from a copy.
    """
    members = {}
    epochs = {row.device_id: row.epoch for row in catalog.devices.all(decision.pool_id)}
    for name in (name for name in paths if name in {*decision.ready, *decision.adopt, *decision.read_only}):
        report = reports[name]
        state: DeviceState = "read-only" if is_read_only(report) else "live"
        row = DeviceRow(
            name=name,
            device_id=report.device_id,
            pool_id=decision.pool_id,
            state=state,
            reason=report.detail if state == "read-only" else "",
            since=datetime.now(UTC),
            capacity_bytes=report.capacity_bytes,
            free_bytes=report.free_bytes,
            epoch=max(epochs.get(report.device_id, 0), published_epoch(report.device_id)),
            path=str(paths[name]),
            mount_point=report.mount_point,
            site=report.site,
        )
        catalog.devices.record(row)
        members[name] = Member(
            name=name,
            device_id=row.device_id,
            epoch=row.epoch,
            state=state,
            capacity_bytes=report.capacity_bytes,
            free_bytes=report.free_bytes,
            is_ahead=is_ahead(catalog, report),
        )
    return members


def is_ahead(catalog: Catalog, report: DeviceReport) -> bool:
    """Whether the device has a generation of this catalog that it does not know itself."""
    generation = report.generation
    if generation is None or generation.catalog_id != catalog.generations.catalog_id:
        return False
    return not catalog.generations.knows(generation)
