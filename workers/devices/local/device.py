"""A folder on a mounted file system: disk, NFS, LTFS tape, RAM disk.

Everything is done relative to a descriptor of a root that was seen to hold the marker.  So a device that is
unmounted meanwhile is noticed, and nothing is ever created in its empty mount point.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tasks.receipts import DeviceReport
from tasks.values import MAX_DEVICE_BYTES
from workers.devices.base import Capacity, Swept
from workers.devices.keys import (
    MANIFESTS_FOLDER,
    MARKER_NAME,
    PARITY_FOLDER,
    SEGMENTS_FOLDER,
    TEMPORARY_SUFFIX,
    split_key,
)
from workers.devices.local.beneath import files_below, open_folder
from workers.devices.local.objects import LocalObject, LocalUpload, open_object
from workers.devices.local.pending_file import PendingFile, remove_if_left_over
from workers.devices.local.probe import probe_folder
from workers.devices.local.root import LocalRoot
from workers.devices.marker import Marker, encode_marker
from workers.devices.trouble import device_errors, reason_of

log = logging.getLogger("segfleet.devices")


class LocalDevice:
    """The device in folder ``path``; see :class:`workers.devices.base.Device`.  Opens nothing before use."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._root = LocalRoot(name, path)

    def claim(self, device_id: str) -> Marker:
        self._root.device_id = device_id
        with self._root.opened() as root_fd:
            return self._root.checked_marker(root_fd)

    def put(self, key: str) -> LocalUpload:
        return LocalUpload(self._root, key)

    def open(self, key: str) -> LocalObject | None:
        with self._root.opened_device() as root_fd:
            return open_object(self.name, self._root.path / key, root_fd, key)

    def list(self, folder: str) -> Iterator[str]:
        with self._root.opened_device() as root_fd, device_errors(self.name, self._root.path / folder):
            keys = [key for key, _ in _files_in(root_fd, folder) if not key.endswith(TEMPORARY_SUFFIX)]
        return iter(sorted(keys))

    def positions(self, folder: str) -> Iterator[tuple[str, int]]:
        """By the numbers of the inodes: file systems keep a file's data near its inode."""
        found = []
        with self._root.opened_device() as root_fd, device_errors(self.name, self._root.path / folder):
            for key, folder_fd in _files_in(root_fd, folder):
                if not key.endswith(TEMPORARY_SUFFIX):
                    # A prune may delete it meanwhile.
                    with suppress(FileNotFoundError):
                        status = os.stat(key.rpartition("/")[2], dir_fd=folder_fd, follow_symlinks=False)
                        found.append((key, status.st_ino % MAX_DEVICE_BYTES))
        return iter(sorted(found))

    def delete(self, key: str) -> None:
        folders, name = split_key(key)
        path = self._root.path / key
        with (
            self._root.opened_device() as root_fd,
            device_errors(self.name, path),
            suppress(FileNotFoundError),
            open_folder(root_fd, folders) as folder_fd,
        ):
            os.unlink(name, dir_fd=folder_fd)

    def settle(self, keys: Iterable[str]) -> None:
        for folders in sorted({split_key(key)[0] for key in keys}):
            path = self._root.path.joinpath(*folders)
            with (
                self._root.opened_device() as root_fd,
                device_errors(self.name, path),
                suppress(FileNotFoundError),
                open_folder(root_fd, folders) as folder_fd,
            ):
                os.fsync(folder_fd)

    def capacity(self) -> Capacity:
        with device_errors(self.name, self._root.path):
            room = os.statvfs(self._root.path)
        return Capacity(
            capacity_bytes=min(MAX_DEVICE_BYTES, room.f_blocks * room.f_frsize),
            free_bytes=min(MAX_DEVICE_BYTES, room.f_bavail * room.f_frsize),
        )

    def probe(self) -> DeviceReport:
        return probe_folder(self._root.path)

    def write_marker(self, marker: Marker) -> None:
        with self._root.opened() as root_fd, device_errors(self.name, self._root.path / MARKER_NAME):
            pending = PendingFile(root_fd, MARKER_NAME)
            try:
                pending.write(encode_marker(marker))
                pending.publish_first()
            finally:
                pending.close()

    def sweep(self) -> Swept:
        removed_count, kept = 0, []
        with self._root.opened_device() as root_fd, device_errors(self.name, self._root.path):
            for key, folder_fd in _files_of_segfleet(root_fd):
                if key.endswith(TEMPORARY_SUFFIX):
                    try:
                        removed_count += remove_if_left_over(folder_fd, key.rpartition("/")[2])
                    except OSError as error:
                        kept.append(f"{self._root.path / key} cannot be removed: {reason_of(error)}")
                        log.warning("device %s: %s", self.name, kept[-1])
        more = f" (and {len(kept) - 1} more)" if kept[1:] else ""
        return Swept(removed_count=removed_count, left=f"{kept[0]}{more}" if kept else "")


def _files_of_segfleet(root_fd: int) -> Iterator[tuple[str, int]]:
    """Key, and descriptor of its folder, of every file: marker, probes, segments and manifests."""
    yield from ((name, root_fd) for name in os.listdir(root_fd) if name.startswith("segfleet."))
    for folder in (SEGMENTS_FOLDER, MANIFESTS_FOLDER, PARITY_FOLDER):
        yield from _files_in(root_fd, folder)


def _files_in(root_fd: int, folder: str) -> Iterator[tuple[str, int]]:
    """Key, and descriptor of its folder, of every file below ``folder``, which need not be there."""
    with suppress(FileNotFoundError):
        yield from files_below(root_fd, folder)
