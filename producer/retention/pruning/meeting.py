"""The devices that a prune finds, and whether it may judge what is on them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from producer.manifest.tombstones import claimed_by
from producer.pool.device_reports import ask_for_reports
from producer.pool.members import is_ahead, record_returned
from producer.retention.pruning.device_files import unknown_heads
from producer.retention.pruning.devices import DeviceWork, PrunedDevice, why_not
from producer.run.session import RunSession
from tasks.errors import NotADeviceError, SegfleetError
from tasks.receipts import DeviceReport

_ABSENT_HINT = "mount one of them, or say where it is: --device NAME=PATH"
_UNKNOWN_HINT = "use the catalog that knows them, or make it again: segfleet rebuild; nothing has been changed"


class OldCatalogError(SegfleetError):
    """The devices know more of this catalog's snapshots than it does itself."""

    code = "old-catalog"
    hint = "use the newest copy of the catalog, or segfleet rebuild; nothing has been changed"


class Meeting(Struct, frozen=True, kw_only=True):
    """``absent``: device of the catalog that is not there → why."""

    devices: tuple[PrunedDevice, ...]
    absent: Mapping[str, str]
    work: DeviceWork

    @property
    def writable(self) -> list[PrunedDevice]:
        """Where this catalog may delete, and the device has not failed."""
        return [device for device in self.devices if not device.why_not and self.work.is_well(device)]

    @property
    def taking(self) -> list[PrunedDevice]:
        """Where this catalog may write, those that only grow among them."""
        return [device for device in self.devices if device.takes_files and self.work.is_well(device)]


def meet(session: RunSession) -> Meeting:
    """Ask the devices what they are and which files of manifests they hold.

    Raises NotADeviceError when none is there, OldCatalogError when one is ahead of the catalog, or holds a snapshot
    that it does not know and no other catalog claims.
    """
    reports = ask_for_reports(session, may_lose=session.paths).wait()
    record_returned(session.catalog, reports.values())
    devices, absent = _sort(session, reports)
    if not devices:
        raise NotADeviceError(
            "no device is available: " + "; ".join(f"{name}: {why}" for name, why in absent.items()),
            hint=_UNKNOWN_HINT if any(report.device_id for report in reports.values()) else _ABSENT_HINT,
        )
    by_name = {device.name: device for device in devices}
    ahead = [name for name in by_name if is_ahead(session.catalog, reports[name])]
    if ahead:
        raise OldCatalogError(
            f"the catalog {session.catalog.place} is an old copy: device {', '.join(ahead)} was changed by a later one"
        )
    meeting = Meeting(devices=tuple(devices), absent=absent, work=DeviceWork(session, by_name))
    meeting.work.read_names()
    _refuse_unknown(session, meeting)
    return meeting


def tell_where_nothing_goes(session: RunSession, meeting: Meeting) -> None:
    """Name the devices on which nothing can be deleted now, and why."""
    for name, why in meeting.absent.items():
        session.observer.note(f"device {name} is absent: {why}; what should be deleted there waits for it")
    for device in meeting.devices:
        if device.why_not:
            session.observer.note(f"nothing is deleted on device {device.name}: {device.why_not}")


def _sort(session: RunSession, reports: Mapping[str, DeviceReport]) -> tuple[list[PrunedDevice], dict[str, str]]:
    known = {row.device_id: row for row in session.catalog.devices.all()}
    devices: list[PrunedDevice] = []
    absent: dict[str, str] = {}
    for name, report in sorted(reports.items()):
        if report.condition not in ("ready", "unwritable") or not report.device_id:
            absent[name] = report.detail or f"{session.paths[name]} is {report.condition}"
        elif report.device_id not in known:
            absent[name] = f"{session.paths[name]} holds a device that is not in this catalog"
        else:
            reason = why_not(report, session.catalog.generations.catalog_id)
            row = known[report.device_id]
            devices.append(PrunedDevice(row=row, name=name, why_not=reason, free_bytes=report.free_bytes))
    return devices, absent


def _refuse_unknown(session: RunSession, meeting: Meeting) -> None:
    """An unknown snapshot may need what ours have stored, unless another catalog has made it, which has its own."""
    states, own = session.catalog.snapshots.states(), session.catalog.generations.catalog_id
    for device in meeting.writable:
        for snapshot_id, claim in unknown_heads(device.names, states).items():
            claimant = claimed_by(meeting.work.read_file(device, claim)) if claim else ""
            if claimant in ("", own):
                raise OldCatalogError(
                    f"device {device.name} holds snapshot {snapshot_id[:8]}, which the catalog {session.catalog.place} "
                    "does not know"
                )
