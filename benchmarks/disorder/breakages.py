"""What happens to devices, also after they have stored: each as a function that makes it happen for real.

As a blow, a breakage returns what undoes it, and does nothing, returning None, where the device or the rights of the
machine do not allow it.  A device is broken in one way at a time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from disorder.stage import Stage
from kit.disks.hung_mount import hang

#: What puts the device right; the files that a breakage has deleted do not come back.
Repair = Callable[[], None]
Breakage = Callable[[Stage, str], Repair | None]

MARKER = "segfleet.json"


def take_marker(stage: Stage, device: str) -> Repair | None:
    marker = stage.scene.folder(device) / MARKER
    try:
        data = marker.read_bytes()
        marker.unlink()
    except OSError:
        # Not there yet, or read-only.
        return None

    def put_back() -> None:
        with marker.open("wb") as file:
            file.write(data)
            file.flush()
            # Else a disk that turns read-only next would keep an empty one.
            os.fsync(file.fileno())
        folder_fd = os.open(marker.parent, os.O_DIRECTORY)
        os.fsync(folder_fd)
        os.close(folder_fd)

    return put_back


def rename_folder(stage: Stage, device: str) -> Repair | None:
    """The whole device is somewhere else, and nothing is in its place."""
    folder = stage.scene.folder(device)
    if not _is_plain_device(folder):
        return None
    away = folder.with_name(f"{folder.name} away")
    folder.rename(away)

    def bring_back() -> None:
        away.rename(folder)

    return bring_back


def swap_folders(stage: Stage, device: str) -> Repair | None:
    """Two devices stand in each other's place."""
    folder = stage.scene.folder(device)
    whole = [name for name in stage.scene.names if name != device and name not in stage.broken]
    other = next((name for name in whole if _is_plain_device(stage.scene.folder(name))), None)
    if other is None or not _is_plain_device(folder):
        return None
    swap = _swapping(folder, stage.scene.folder(other))
    stage.broken.add(other)
    swap()

    def swap_back() -> None:
        swap()
        stage.broken.discard(other)

    return swap_back


def put_older_copy(stage: Stage, device: str) -> Repair | None:
    """A copy that lacks what was stored last stands in the place of the device."""
    folder = stage.scene.folder(device)
    if not _is_plain_device(folder):
        return None
    original, copy = folder.with_name(f"{folder.name} original"), folder.with_name(f"{folder.name} copy")
    segments = sorted(folder.glob("segments/*/*.seg"), key=lambda path: path.stat().st_mtime_ns)
    newest = {path.name for path in segments[len(segments) // 2 :]}
    shutil.copytree(folder, copy, ignore=lambda _, names: newest.intersection(names), copy_function=shutil.copy2)
    folder.rename(original)
    copy.rename(folder)

    def bring_back() -> None:
        # With what was stored on the copy meanwhile; a worker may be writing there at this moment.
        folder.rename(copy)
        shutil.copytree(copy, original, dirs_exist_ok=True, copy_function=_copy_if_there)
        original.rename(folder)
        shutil.rmtree(copy, ignore_errors=True)

    return bring_back


def empty_folder(stage: Stage, device: str) -> Repair | None:
    """Everything on the device is deleted, its marker too; put right, its operator says that it is lost."""
    if _delete(stage, device, "*") is None:
        return None

    def take_in_again() -> None:
        # A worker may have written there since.
        _delete_now(stage.scene.folder(device), "*")
        # Without this word an empty folder is a device that is not mounted.
        stage.machine.run("devices", "lost", device)

    return take_in_again


def delete_segments(stage: Stage, device: str) -> Repair | None:
    """The marker stays."""
    return _delete(stage, device, "segments")


def fill_disk(stage: Stage, device: str) -> Repair | None:
    disk = stage.disks.get(device)
    if disk is None or not (disk.folder / "segments").is_dir():
        return None
    try:
        disk.fill(leave_bytes=100_000)
    except OSError:
        return None

    def make_room() -> None:
        if not os.access(disk.folder, os.W_OK):
            stage.mount_anew(device)
        with contextlib.suppress(FileNotFoundError):
            disk.make_room()

    return make_room


def turn_read_only(stage: Stage, device: str) -> Repair | None:
    disk = stage.disks.get(device)
    if disk is None or not (disk.folder / MARKER).exists():
        return None
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        disk.turn_read_only()
    return lambda: stage.mount_anew(device)


def unmount(stage: Stage, device: str) -> Repair | None:
    disk = stage.disks.get(device)
    if disk is None or not (disk.folder / MARKER).exists():
        return None
    disk.unmount()
    return lambda: stage.mount_anew(device)


def hang_disk(stage: Stage, device: str) -> Repair | None:
    """Anyone who looks at the device waits for ever."""
    if not (stage.scene.folder(device) / MARKER).exists():
        return None
    try:
        return hang(stage.scene.folder(device))
    except OSError:
        # Only root may do that, and only where there is FUSE.
        return None


BREAKAGES: dict[str, Breakage] = {
    breakage.__name__: breakage
    for breakage in (
        take_marker,
        rename_folder,
        swap_folders,
        put_older_copy,
        empty_folder,
        delete_segments,
        fill_disk,
        turn_read_only,
        unmount,
        hang_disk,
    )
}


def _copy_if_there(source: str, to: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, to)


def _is_plain_device(folder: Path) -> bool:
    return not folder.is_mount() and (folder / MARKER).exists()


def _swapping(one: Path, other: Path) -> Repair:
    def swap() -> None:
        between = one.with_name(f"{one.name} between")
        one.rename(between)
        other.rename(one)
        between.rename(other)

    return swap


def _delete(stage: Stage, device: str, what: str) -> Repair | None:
    folder = stage.scene.folder(device)
    # One that has turned read-only meanwhile cannot be emptied.
    if not (folder / MARKER).exists() or not os.access(folder, os.W_OK):
        return None
    stage.deleted.add(device)
    _delete_now(folder, what)
    return lambda: None


def _delete_now(folder: Path, what: str) -> None:
    for path in [path for path in folder.glob(what) if path.name != "lost+found"]:
        # A worker may be writing there at this moment.
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
