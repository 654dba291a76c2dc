"""Where a device is, as a manager sees it: in a folder of this host, or wherever its agents have it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from producer.host.scouting.looks import SilentError, has_just_answered, look_at_each

_AGENT = "agent:"


def at_agents(device: str) -> Path:
    """Stands for the folder of a device that only agents can reach.  Real folders are absolute paths."""
    return Path(_AGENT + device)


def is_at_agents(place: Path) -> bool:
    return str(place).startswith(_AGENT)


def place_of(device: str, path: str | None) -> Path:
    """The place of a configured device."""
    return Path(path) if path is not None else at_agents(device)


def folders_here(devices: Mapping[str, Path]) -> dict[str, Path]:
    """The real folders of those devices that have one on this host: symlinks resolved, but for one that is silent."""
    here = _here(devices)
    seen = look_at_each(here, _real)
    return {name: here[name] if isinstance(real, SilentError) else real for name, real in seen.items()}


def silent_devices(devices: Mapping[str, Path], on_wait: Callable[[], None]) -> dict[str, str]:
    """The devices of this host whose file system does not answer → what to say of them."""
    asked = {name: place for name, place in _here(devices).items() if not has_just_answered(place)}
    seen = look_at_each(asked, _status, on_wait=on_wait)
    return {name: error.message for name, error in seen.items() if isinstance(error, SilentError)}


def file_systems_of(devices: Mapping[str, Path]) -> dict[str, int]:
    """The number (``st_dev``) of the file system that each device of this host lies on, where it has one."""
    seen = look_at_each(_here(devices), _status)
    return {name: status.st_dev for name, status in seen.items() if isinstance(status, os.stat_result)}


def _here(devices: Mapping[str, Path]) -> dict[str, Path]:
    return {name: place for name, place in devices.items() if not is_at_agents(place)}


def _real(place: Path) -> Path:
    # Not Path.resolve(): it raises where symlinks form a loop, and what is wrong with one device is said of that one.
    return Path(os.path.realpath(place))


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.stat()
    except OSError:
        return None
