"""Where a device is, as a manager sees it: in a folder of this host, or wherever its agents have it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

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
    """The real folders of those devices that have one on this host, symlinks resolved."""
    # Not Path.resolve(): it raises where symlinks form a loop, and what is wrong with one device is said of that one.
    return {name: Path(os.path.realpath(place)) for name, place in devices.items() if not is_at_agents(place)}
