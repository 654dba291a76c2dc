"""Preflight: checks of sources, devices and targets before a run starts.

They compare real paths, because a symlink must not hide that two names mean the same folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from producer.host.looks import look_at_each
from producer.host.places import folders_here
from producer.requests import Source
from tasks.errors import UsageError


def check_sources_exist(sources: Sequence[Source]) -> None:
    """Raises UsageError for a source that does not exist: unmounted, or its ``pre`` command did not create it.

    One that does not answer is left to the walk, which records it.
    """
    exist = look_at_each({source.name: source.path for source in sources}, Path.exists)
    for source in sources:
        if not exist[source.name]:
            raise UsageError(
                f"source {source.name} does not exist: {source.path}",
                hint="is its disk mounted?",
                path=str(source.path),
            )


def check_sources(sources: Sequence[Source]) -> None:
    """Raises UsageError if one source is another one, or lies inside it."""
    for inner, outer in itertools.permutations(sources, 2):
        if inner.path == outer.path:
            raise UsageError(f"source {inner.path} is named twice", hint="name each source once")
        if inner.path.is_relative_to(outer.path):
            raise UsageError(
                f"source {inner.path} lies inside source {outer.path}", hint="name only the outer one; it contains both"
            )


def check_devices(devices: Mapping[str, Path]) -> dict[str, Path]:
    """The real folders of the devices of this host.

    Raises UsageError if there is no device, or if two names mean the same folder or one inside the other.
    """
    if not devices:
        raise UsageError(
            "no device is named", hint="add --device NAME=PATH, or a [devices.NAME] table to the configuration"
        )
    real = folders_here(devices)
    for (first, path), (second, other) in itertools.permutations(real.items(), 2):
        if path == other:
            raise UsageError(
                f"devices {first} and {second} are the same folder {path}",
                hint="give each device its own folder, on its own disk",
            )
        if path.is_relative_to(other):
            raise UsageError(
                f"device {first} ({path}) lies inside device {second} ({other})", hint="give each device its own folder"
            )
    return real


def check_apart(
    sources: Sequence[Source], devices: Mapping[str, Path], *, elsewhere: frozenset[tuple[str, str]] = frozenset()
) -> None:
    """Raises UsageError if a source lies inside a device, or a device inside a source.

    ``elsewhere`` names pairs (source, device) where the device lies inside the source's folder, but on a file
    system that the walk will not enter (``--one-file-system``): these are allowed.
    """
    for source, (name, path) in itertools.product(sources, devices.items()):
        if source.path.is_relative_to(path):
            raise UsageError(
                f"source {source.path} lies inside device {name} ({path})", hint="a backup must not contain itself"
            )
        if path.is_relative_to(source.path) and (source.name, name) not in elsewhere:
            raise UsageError(
                f"device {name} ({path}) lies inside source {source.path}",
                hint="a backup must not contain itself; with -x, a device may lie there on its own file system",
            )


def check_target(target: Path, devices: Mapping[str, Path]) -> None:
    """Raises UsageError if the target lies inside a device.

    A device may lie inside the target: a whole system, backed up with ``--one-file-system``, is restored to / while
    its devices are mounted, and its backup contains nothing of a device that the restore could overwrite.
    """
    for name, path in devices.items():
        if target.is_relative_to(path):
            raise UsageError(f"--target {target} lies inside device {name} ({path})", hint="restore to another folder")


def check_proc() -> None:
    """Raises UsageError without /proc, by which workers reach the files whose modes and times they set."""
    if not Path("/proc/self/fd").is_dir():
        raise UsageError("a restore needs /proc, and it is not mounted", hint="mount it: mount -t proc proc /proc")


def notes_about(devices: Mapping[str, Path]) -> list[str]:
    """Warnings about what is allowed, but probably not intended."""
    return ["there is only one device: nothing is striped"] if len(devices) == 1 else []
