"""A device in another folder, or a new disk in a device's place: what an operator says, and what the marker shows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.tables.devices import DeviceRow
from producer.observer import Observer
from producer.ownership.lock_holder import NEW_DEVICES
from producer.pool.decide import PoolDecision
from producer.pool.device_reports import adopt_devices, ask_for_reports
from producer.pool.losses.lost import device_named, mark_lost
from producer.pool.members import record_members
from producer.run.environment import Environment
from producer.run.locks import owner_of_locks
from producer.run.session import RunNeeds, RunSession, open_session
from tasks.errors import NotADeviceError, UsageError
from tasks.receipts import DeviceReport


class Replaced(Struct, frozen=True, kw_only=True):
    old: DeviceRow
    new: DeviceRow
    #: How many snapshots lack what the old one held.
    lacking_count: int


def move_device(name: str, place: Path, observer: Observer, environment: Environment) -> DeviceRow:
    """Record that the device is in the folder ``place``, where its marker is.

    Raises UsageError, NotADeviceError, LockedError while a run uses the device.
    """
    with _asked(name, place, observer, environment) as (session, row, report):
        check_moved(row, place, report)
        is_ready = report.condition == "ready"
        moved = replace(
            row,
            state="live" if is_ready else "read-only",
            reason="" if is_ready else report.detail,
            since=datetime.now(UTC),
            capacity_bytes=report.capacity_bytes,
            free_bytes=report.free_bytes,
            path=str(place),
            mount_point=report.mount_point,
            site=report.site,
        )
        session.catalog.devices.record(moved)
        return session.catalog.devices.get(row.device_id)


def replace_device(name: str, place: Path, observer: Observer, environment: Environment) -> Replaced:
    """Make ``place`` the device of this name, in the same pool; the one that had the name is lost.

    Raises UsageError, NotADeviceError, DeviceError, LockedError.
    """
    with _asked(name, place, observer, environment) as (session, row, report):
        check_replacement(row, place, report, session.catalog.devices.all())
        assert session.holder is not None
        with session.holder.holding(NEW_DEVICES, purpose=f"new disk for device {row.name}"):
            ready = {row.name: report.device_id} if report.device_id else {}
            adopt = {} if ready else {row.name: uuid.uuid4().hex}
            decision = PoolDecision(pool_id=row.pool_id, ready=ready, adopt=adopt, absent={})
            reports = {row.name: report} | adopt_devices(session, decision)
            old, lacking_count = mark_lost(session.catalog, row)
            record_members(session.catalog, decision, reports, session.paths, session.link.published_epoch)
        new = session.catalog.devices.get(reports[row.name].device_id)
        return Replaced(old=old, new=new, lacking_count=lacking_count)


@contextmanager
def _asked(
    name: str, place: Path, observer: Observer, environment: Environment
) -> Iterator[tuple[RunSession, DeviceRow, DeviceReport]]:
    """What the catalog has of the device, and what is in the folder."""
    with owner_of_locks(observer, environment) as holder:
        row = device_named(holder.catalog, name)
        needs = RunNeeds(devices={row.name: place}, purpose=f"a new place for device {row.name}", holder=holder)
        with open_session(needs, observer, environment) as session:
            if session.fleet.is_shared(row.name):
                raise UsageError(
                    f"an agent serves device {row.name}, in the folder of its own configuration",
                    hint=f"change the agent's configuration; for a new disk there: segfleet devices lost {row.name}",
                )
            yield session, row, ask_for_reports(session).wait()[row.name]


def check_moved(row: DeviceRow, place: Path, report: DeviceReport) -> None:
    """Raises NotADeviceError unless the folder has the marker of this device."""
    if not report.device_id:
        raise NotADeviceError(
            f"{place} has no marker of device {row.name}: {report.detail or 'it is empty'}",
            hint=f"mount the device there; for a new disk: segfleet devices replace {row.name}={place}",
            path=str(place),
        )
    if report.device_id != row.device_id:
        raise NotADeviceError(
            f"{place} holds device {report.marker_name} ({report.device_id[:8]}), not {row.name} ({row.device_id[:8]})",
            hint="name the folder of the right device",
            path=str(place),
        )


def check_replacement(row: DeviceRow, place: Path, report: DeviceReport, rows: Sequence[DeviceRow]) -> None:
    """Raises NotADeviceError unless the folder is empty, or has a device of the pool that has no other name here.

    ``rows``: all devices of the catalog.
    """
    if report.device_id == row.device_id:
        raise NotADeviceError(
            f"{place} holds device {row.name} itself; nothing has replaced it",
            hint=f"if it only moved: segfleet devices move {row.name}={place}",
            path=str(place),
        )
    other = next((one for one in rows if one.device_id == report.device_id and one.state != "lost"), None)
    if other is not None:
        raise NotADeviceError(
            f"{place} holds device {other.name} ({other.device_id[:8]})", hint=_EMPTY, path=str(place)
        )
    if report.condition not in ("ready", "empty"):
        raise NotADeviceError(f"device {row.name}: {report.detail}", hint=_EMPTY, path=str(place))
    if report.pool_id not in ("", row.pool_id):
        raise NotADeviceError(f"{place} holds a device of another pool", hint=_EMPTY, path=str(place))


_EMPTY = "name an empty folder on the new disk"
