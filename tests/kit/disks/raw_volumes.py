"""Raw volumes for tests: images with file systems, loop devices, and what the tools of the file systems say of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.deadlines import eventually
from kit.needs import SYSTEM_PATH, need_loop_devices, need_tools

_MAKE = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "vfat": ("mkfs.vfat", "-F", "32"),
    "exfat": ("mkfs.exfat",),
}
_CHECK = {
    "ext4": ("e2fsck", "-fn"),
    "xfs": ("xfs_repair", "-n", "-f"),
    "vfat": ("fsck.fat", "-n"),
}


def make_file_system(image: Path, kind: str, size_bytes: int, *options: str) -> Path:
    """An image file with an empty file system; ``options`` are those of its mkfs."""
    need_tools(_MAKE[kind][0])
    with open(image, "wb") as file:
        file.truncate(size_bytes)
    _run(*_MAKE[kind], *options, str(image))
    return image


def is_sound(image: Path, kind: str) -> bool:
    """Whether the checker of the file system finds nothing to repair."""
    need_tools(_CHECK[kind][0])
    return _run(*_CHECK[kind], str(image), check=False).returncode == 0


@contextmanager
def loop_device(image: Path) -> Iterator[Path]:
    """A loop device on the image."""
    need_loop_devices()
    device = _run("losetup", "-f", "--show", str(image)).stdout.decode().strip()
    try:
        yield Path(device)
    finally:
        _run("losetup", "-d", device)


@contextmanager
def mounted(raw_volume: Path, folder: Path, *options: str) -> Iterator[Path]:
    """The file system on ``raw_volume``, an image or a device, mounted on ``folder``, which is made."""
    need_loop_devices()
    folder.mkdir(exist_ok=True)
    loop = ["loop"] if raw_volume.is_file() else []
    _run("mount", "-o", ",".join(["rw", *options, *loop]), str(raw_volume), str(folder))
    try:
        yield folder
    finally:
        eventually(lambda: not _run("umount", str(folder), check=False).returncode, f"{folder} is unmounted")


def filled(image: Path, folder: Path, fill: Callable[[Path], object]) -> Path:
    """``image``, after ``fill`` has written into its file system, mounted on ``folder`` meanwhile."""
    with mounted(image, folder):
        fill(folder)
    return image


def _run(*command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C"}
    return subprocess.run(command, capture_output=True, check=check, env=environment)
