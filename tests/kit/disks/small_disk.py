"""A real small file system that a test may fill, turn read-only, and take away."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.disks.raw_volumes import make_file_system
from kit.needs import need, need_loop_devices

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

    def remount_read_only(self) -> None:
        """As an administrator does, while no file is open for writing."""
        _run("mount", "-o", "remount,ro", self.folder)

    def turn_read_only(self) -> None:
        """As the kernel does after an error of the disk; a remount is refused while a file is open for writing."""
        Path(f"/sys/fs/ext4/{self._loop}/trigger_fs_error").write_text("1")

    def rotate(self, rotates: bool = True) -> str:
        """Have the kernel say whether it rotates; returns its name."""
        name = self._loop
        said = Path(f"/sys/block/{name}/queue/rotational")
        need(os.access(said, os.W_OK), f"{said} cannot be written: /sys is read-only")
        said.write_text(f"{rotates:d}")
        return name

    @property
    def _loop(self) -> str:
        found = subprocess.run(
            ["findmnt", "--noheadings", "--output=SOURCE", self.folder], check=True, capture_output=True, text=True
        )
        return Path(found.stdout.strip()).name

    def fill(self, leave_bytes: int) -> None:
        """Leave no more than ``leave_bytes`` free, whatever has filled it before."""
        room = os.statvfs(self.folder)
        with open(os.open(self.folder / "segments" / "ballast", os.O_CREAT | os.O_WRONLY), "wb") as file:
            ballast_bytes = os.fstat(file.fileno()).st_size + room.f_bavail * room.f_frsize - leave_bytes
            os.posix_fallocate(file.fileno(), 0, max(1, ballast_bytes))

    def make_room(self) -> None:
        (self.folder / "segments" / "ballast").unlink()


@contextmanager
def small_disk(folder: Path, *, size_bytes: int = 16 * MIB) -> Iterator[SmallDisk]:
    """Mounted at ``folder``, which is made."""
    need_loop_devices()
    folder.mkdir(parents=True)
    image = make_file_system(folder.parent / f"{folder.name}.image", "ext4", size_bytes)
    disk = SmallDisk(image, folder)
    disk.mount()
    try:
        yield disk
    finally:
        if folder.is_mount():
            disk.unmount()
        disk.image.unlink()


def _run(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)
