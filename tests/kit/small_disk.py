"""A real small file system that a test may fill, turn read-only, and take away."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024


class SmallDisk:
    """An ext4 in the file ``image``, mounted at ``folder``."""

    def __init__(self, image: Path, folder: Path) -> None:
        self.image = image
        self.folder = folder

    def mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)

    def unmount(self) -> None:
        """Lazily: what is open stays open, and the folder is an empty one."""
        _run("umount", "--lazy", self.folder)

    def turn_read_only(self) -> None:
        """As the kernel does after an error of the disk; a remount is refused while a file is open for writing."""
        Path(f"/sys/fs/ext4/{self._loop}/trigger_fs_error").write_text("1")

    def rotate(self, rotates: bool = True) -> str:
        """Have the kernel say whether it rotates; returns its name.  Skips the test where that is not allowed."""
        name = self._loop
        try:
            Path(f"/sys/block/{name}/queue/rotational").write_text(f"{rotates:d}")
        except OSError as error:
            pytest.skip(f"the kernel cannot be told that a disk rotates: {error}")
        return name

    @property
    def _loop(self) -> str:
        found = subprocess.run(
            ["findmnt", "--noheadings", "--output=SOURCE", self.folder], check=True, capture_output=True, text=True
        )
        return Path(found.stdout.strip()).name

    def fill(self, leave_bytes: int) -> None:
        """Leave no more than ``leave_bytes`` free."""
        room = os.statvfs(self.folder)
        ballast_bytes = room.f_bavail * room.f_frsize - leave_bytes
        with open(os.open(self.folder / "segments" / "ballast", os.O_CREAT | os.O_WRONLY), "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, ballast_bytes))

    def make_room(self) -> None:
        (self.folder / "segments" / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, *, size_bytes: int = 16 * MIB) -> Iterator[SmallDisk]:
    """Mounted at ``folder``, which is made; skips the test where that is not possible."""
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a file system needs root and mkfs.ext4")
    folder.mkdir(parents=True)
    disk = SmallDisk(folder.parent / f"{folder.name}.image", folder)
    with disk.image.open("wb") as file:
        file.truncate(size_bytes)
    _run("mkfs.ext4", "-q", disk.image)
    try:
        disk.mount()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"loop mounts are not possible here: {error.stderr.decode()}")
    try:
        yield disk
    finally:
        if folder.is_mount():
            disk.unmount()
        disk.image.unlink()


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)
