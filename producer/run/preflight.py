"""What must hold before a run starts: pure decisions over real paths.

Real paths, because a symlink must not hide that two names mean one folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from producer.host.places import folders_here
from producer.requests import Source
from tasks.errors import UsageError


def check_sources_exist(sources: Sequence[Source]) -> None:
    """Raises UsageError for a source that is not there: the request is old, or no command has made what it should."""
    for source in sources:
        if not source.path.exists():
            raise UsageError(
                f"source {source.name} is not there: {source.path}",
                hint="is its disk mounted?",
                path=str(source.path),
            )


def check_sources(sources: Sequence[Source]) -> None:
    """Raises UsageError where one source is, or lies inside, another."""
    for inner, outer in itertools.permutations(sources, 2):
        if inner.path == outer.path:
            raise UsageError(f"source {inner.path} is named twice", hint="name each source once")
        if inner.path.is_relative_to(outer.path):
            raise UsageError(
                f"source {inner.path} lies inside source {outer.path}", hint="name the outer one alone; it holds both"
            )


def check_devices(devices: Mapping[str, Path]) -> None:
    """Raises UsageError where there is no device, or two names mean one folder or a folder inside another."""
    if not devices:
        raise UsageError(
            "no device is named", hint="add --device NAME=PATH, or a [devices.NAME] table to the configuration"
        )
    for (first, path), (second, other) in itertools.permutations(folders_here(devices).items(), 2):
        if path == other:
            raise UsageError(
                f"devices {first} and {second} are the same folder {path}",
                hint="give each device a folder of its own, on a disk of its own",
            )
        if path.is_relative_to(other):
            raise UsageError(
                f"device {first} ({path}) lies inside device {second} ({other})", hint="give each a folder of its own"
            )


def check_apart(
    sources: Sequence[Source], devices: Mapping[str, Path], *, elsewhere: frozenset[tuple[str, str]] = frozenset()
) -> None:
    """Raises UsageError where a source lies inside a device, or a device inside a source.

    ``elsewhere`` names pairs (source, device) where the device lies inside the source's folder, but on a file
    system that the walk will not enter (``--one-file-system``): those are apart.
    """
    for source, (name, path) in itertools.product(sources, devices.items()):
        if source.path.is_relative_to(path):
            raise UsageError(
                f"source {source.path} lies inside device {name} ({path})", hint="a backup must not eat itself"
            )
        if path.is_relative_to(source.path) and (source.name, name) not in elsewhere:
            raise UsageError(
                f"device {name} ({path}) lies inside source {source.path}",
                hint="a backup must not eat itself; with -x a device on a file system of its own may lie there",
            )


def check_target(target: Path, devices: Mapping[str, Path]) -> None:
    """Raises UsageError where the target lies inside a device.

    A device may lie inside the target: a whole system, backed up with ``--one-file-system``, goes back to / with its
    devices mounted, and a backup takes nothing of a device that a restore could write over.
    """
    for name, path in devices.items():
        if target.is_relative_to(path):
            raise UsageError(f"--target {target} lies inside device {name} ({path})", hint="restore to another folder")


def notes_about(devices: Mapping[str, Path]) -> list[str]:
    """What is allowed but worth a word."""
    return ["there is one device only: nothing is spread"] if len(devices) == 1 else []
