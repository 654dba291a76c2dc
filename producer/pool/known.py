"""The devices that the catalog remembers: whether an empty folder is one of them that is not mounted, or new.

A mount point whose disk is not there is an empty folder like any other.  Only a marker shows that a device is there;
size, name or place of a folder prove nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.host.places import is_at_agents
from tasks.receipts import DeviceReport


class KnownDevice(Struct, frozen=True, kw_only=True):
    """A device, and where it was seen last: in the folder ``path``, on the file system mounted at ``mount_point``."""

    device_id: str
    name: str
    pool_id: str
    path: str
    #: "" where nobody could tell.
    mount_point: str
    is_lost: bool = False

    def was_in(self, path: Path) -> bool:
        return self.path == str(path)


def known_devices(catalog: Catalog) -> tuple[KnownDevice, ...]:
    """The devices of all pools; the one that was seen last comes first."""
    return tuple(
        KnownDevice(
            device_id=row.device_id,
            name=row.name,
            pool_id=row.pool_id,
            path=row.path,
            mount_point=row.mount_point,
            is_lost=row.state == "lost",
        )
        for row in catalog.devices.last_recorded_first()
    )


def known_where_named(known: Iterable[KnownDevice], paths: Mapping[str, Path]) -> frozenset[str]:
    """The names under which devices that are not lost were seen in the very folders where they are named now."""
    return frozenset(
        device.name
        for device in known
        if device.name in paths and device.was_in(paths[device.name]) and not device.is_lost
    )


def why_not_new(name: str, path: Path, reports: Mapping[str, DeviceReport], known: Iterable[KnownDevice]) -> str:
    """Why the folder of device ``name``, if it is empty, may not become a new device; "" if it may, or has a marker.

    ``reports``: of all devices that are named now.  The folder is no new device if

    - a device of this name was seen in it, or belongs to the pool of the others, and is not among them: it is absent,
      until its operator says that it is lost, or replaced;
    - another device, or a lost one, was seen in it, on a file system that was mounted on the one that is there now: its
      disk is not mounted.
    """
    if reports[name].condition != "empty":
        return ""
    there = {report.device_id for report in reports.values()}
    pools = {report.pool_id for report in reports.values() if report.pool_id}
    for device in known:
        is_here, is_unmounted = device.was_in(path), _is_unmounted(device, reports[name])
        below = f" (the folder is on the file system at {reports[name].mount_point})" if is_unmounted else ""
        is_due = device.name == name and not device.is_lost and device.device_id not in there
        if is_due and (is_here or device.pool_id in pools):
            # A rebuilt catalog does not know where it was.
            where = below if is_here or not device.path else f" (it was in {device.path})"
            word = word_for_new_disk(name, path)
            return f"{folder_in_words(path)} is empty; is the device mounted?{where} For a new disk: {word}"
        if is_here and is_unmounted:
            return f"{folder_in_words(path)} is empty; is device {device.name}, which was there, mounted?{below}"
    return ""


def folder_in_words(path: Path) -> str:
    return "its agent's folder" if is_at_agents(path) else str(path)


def word_for_new_disk(name: str, path: Path) -> str:
    """The command by which an operator has the empty folder taken in."""
    return f"segfleet devices lost {name}" if is_at_agents(path) else f"segfleet devices replace {name}={path}"


def _is_unmounted(device: KnownDevice, report: DeviceReport) -> bool:
    """Whether the folder is on the file system below that of the device; where nobody can tell, it is not."""
    was, now = Path(device.mount_point), Path(report.mount_point)
    return bool(device.mount_point and report.mount_point) and now in was.parents
