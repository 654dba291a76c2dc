"""What of the devices a person has to settle before a run may use any of them.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from producer.pool.known import KnownDevice, known_where_named
from tasks.errors import NotADeviceError, UsageError
from tasks.receipts import DeviceReport

#: The identity of a folder that could not be opened: it equals nothing, not even itself.
_NOT_MEASURED = (0, 0)

_MARKER_HINT = "use the release of segfleet that wrote it, or restore segfleet.json from another copy"


def refuse_shared_folders(
    reports: Mapping[str, DeviceReport], paths: Mapping[str, Path], hosts: Mapping[str, str]
) -> None:
    seen: dict[tuple[str, int, int], str] = {}
    for name, report in reports.items():
        if report.root_identity == _NOT_MEASURED:
            continue
        # Every host has a device 8:1 with a folder 2.
        other = seen.setdefault((hosts.get(name, ""), *report.root_identity), name)
        if other != name:
            raise UsageError(
                f"devices {other} and {name} are the same folder: {paths[name]}",
                hint="give each device a folder of its own, best on a disk of its own",
            )


def refuse_copies(reports: Mapping[str, DeviceReport], paths: Mapping[str, Path]) -> None:
    """Two places with one device id: each would overwrite what the other stores, and only one would be read."""
    seen: dict[str, str] = {}
    for name, report in sorted(reports.items()):
        other = seen.setdefault(report.device_id, name) if report.device_id else name
        if other != name:
            raise UsageError(
                f"devices {other} ({paths[other]}) and {name} ({paths[name]}) are the same device "
                f"{report.device_id[:8]}: one is a copy of the other",
                hint="name only one of them; to make the other a device of its own, empty its folder first",
                path=str(paths[name]),
            )


def refuse_unknown_out_of_reach(
    reports: Mapping[str, DeviceReport], paths: Mapping[str, Path], known: Sequence[KnownDevice]
) -> None:
    """A new device that does not answer as it should, named with all others that do not."""
    seen_here, ids = known_where_named(known, paths), {device.device_id for device in known}
    unreached = {
        name: report.detail
        for name, report in reports.items()
        if report.condition in ("missing", "unwritable") and name not in seen_here and report.device_id not in ids
    }
    if unreached:
        raise NotADeviceError(
            "; ".join(f"device {name}: {detail}" for name, detail in unreached.items()),
            hint="the folder must exist and be writable; mount the disk, make the folder, or leave the device out",
            path=str(paths[next(iter(unreached))]),
        )


def refuse_unusable(name: str, report: DeviceReport, path: Path) -> None:
    if report.condition == "foreign":
        raise NotADeviceError(
            f"device {name}: {path} is not empty and has no segfleet.json",
            hint="name an empty folder; segfleet never mixes its data with other files",
            path=str(path),
        )
    if report.condition in ("newer", "damaged"):
        raise NotADeviceError(f"device {name}: {report.detail}", hint=_MARKER_HINT, path=str(path))
