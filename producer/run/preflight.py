"""Preflight: checks of sources, devices and targets before a run starts.

They compare real paths, because a symlink must not hide that two names mean the same folder.
"""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from producer.host.places import folders_here
from producer.host.scouting.looks import look, look_at_each
from producer.raw.mounts import mounts
from producer.requests import Source
from tasks.errors import NotMountedError, UsageError

#: Whether the walk of a source stays out of a folder inside it.
KeptOut = Callable[[Source, Path], bool]


def _is_never_kept_out(source: Source, path: Path) -> bool:
    return False


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


def check_mounts(required: Sequence[Path]) -> None:
    """Raises NotMountedError for a path on which nothing is mounted.  Asks the kernel first, and nobody who hangs."""
    if not required:
        return
    points = {mount.point: mount for mount in mounts()}
    for path in required:
        found = points.get(os.path.normpath(path)) or points.get(look(path, os.path.realpath))
        # What mounts on demand has not done so yet.
        if found is None or found.kind == "autofs":
            raise NotMountedError(f"nothing is mounted on {path}", path=str(path))


def check_sources(sources: Sequence[Source], kept_out: KeptOut = _is_never_kept_out) -> None:
    """Raises UsageError if one source is another one, or lies inside it and is not ``kept_out`` of its walk."""
    for inner, outer in itertools.permutations(sources, 2):
        if inner.path == outer.path:
            raise UsageError(f"source {inner.path} is named twice", hint="name each source once")
        if inner.path.is_relative_to(outer.path) and not kept_out(outer, inner.path):
            raise UsageError(
                f"source {inner.path} lies inside source {outer.path}",
                hint=f"name only the outer one, which contains both, or keep the inner one out of it: "
                f"{_exclusion(outer.path, inner.path)}, or -x if it is on a file system of its own",
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


def check_apart(sources: Sequence[Source], devices: Mapping[str, Path], kept_out: KeptOut = _is_never_kept_out) -> None:
    """Raises UsageError if a source lies inside a device, or a device inside a source and not ``kept_out`` of it."""
    for source, (name, path) in itertools.product(sources, devices.items()):
        if source.path.is_relative_to(path):
            raise UsageError(
                f"source {source.path} lies inside device {name} ({path})", hint="a backup must not contain itself"
            )
        if path.is_relative_to(source.path) and not kept_out(source, path):
            raise UsageError(
                f"device {name} ({path}) lies inside source {source.path}",
                hint=f"a backup must not contain itself; keep the device out of it: {_exclusion(source.path, path)}, "
                "or -x if the device is on a file system of its own",
            )


def _exclusion(source: Path, inner: Path) -> str:
    """The option that keeps ``inner`` out of ``source``."""
    return f"-e {shlex.quote(f'/{inner.relative_to(source)}/')}"


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


def notes_about(devices: Mapping[str, Path], sources: Sequence[Source] = (), patterns: Sequence[str] = ()) -> list[str]:
    """Warnings about what is allowed, but probably not intended."""
    lone = ["there is only one device: nothing is striped"] if len(devices) == 1 else []
    return lone + [note for pattern in patterns for source in sources for note in _notes_about_pattern(pattern, source)]


def _notes_about_pattern(pattern: str, source: Source) -> list[str]:
    """A pattern is relative to the source: an absolute path into it matches nothing."""
    path = pattern.removeprefix("!")
    inside = path.removeprefix(str(source.path))
    if source.path == Path("/") or inside == path or not inside.startswith("/") or inside == "/":
        return []
    return [f"pattern {pattern} is relative to the source {source.path}; for {path} write {inside}"]
