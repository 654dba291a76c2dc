"""Reading and writing one object in a local device's folder."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.errors import NotADeviceError
from workers.devices.base import Bytes
from workers.devices.keys import split_key
from workers.devices.local.beneath import make_folders, open_folder, open_regular_file
from workers.devices.local.pending_file import PendingFile
from workers.devices.local.root import LocalRoot
from workers.devices.trouble import UnreadableError, device_errors


class LocalUpload:
    """See :class:`workers.devices.base.Upload`.  ``commit`` may run on another thread than ``write``."""

    def __init__(self, root: LocalRoot, key: str) -> None:
        self._root = root
        self._key = key
        self._path = root.path / key
        folders, name = split_key(key)
        with root.opened() as root_fd:
            self._device_id = root.checked_marker(root_fd).device_id
            with device_errors(root.device, self._path):
                self._folder_fd = make_folders(root_fd, folders)
                try:
                    self._pending = PendingFile(self._folder_fd, name)
                except OSError:
                    os.close(self._folder_fd)
                    raise

    def __enter__(self) -> LocalUpload:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pending.close()
        os.close(self._folder_fd)

    def write(self, buffer: Bytes) -> None:
        with device_errors(self._root.device, self._path):
            self._pending.write(buffer)

    def commit(self) -> None:
        with device_errors(self._root.device, self._path):
            self._pending.publish()
        self._check_still_there()

    def _check_still_there(self) -> None:
        """Looks up the path again: descriptors still work on a lazily unmounted device."""
        root = self._root
        with root.opened() as root_fd:
            same_device = root.checked_marker(root_fd).device_id == self._device_id
            folders, name = split_key(self._key)
            with device_errors(root.device, self._path), open_folder(root_fd, folders) as folder_fd:
                found = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
                written = os.fstat(self._pending.fd)
        if not same_device or (found.st_dev, found.st_ino) != (written.st_dev, written.st_ino):
            raise NotADeviceError(f"device {root.device}: {root.path} was replaced while {self._key} was written")


class LocalObject:
    """See :class:`workers.devices.base.StoredObject`.  Owns the descriptor ``fd``."""

    def __init__(self, device: str, path: Path, fd: int) -> None:
        self._device = device
        self._path = path
        self._fd = fd
        self.size_bytes = os.fstat(fd).st_size

    def __enter__(self) -> LocalObject:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._fd)

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        parts = []
        try:
            # One call returns at most 2 GiB, and a network file system may return less at any time.
            while size_bytes > 0 and (part := os.pread(self._fd, size_bytes, offset_bytes)):
                parts.append(part)
                offset_bytes += len(part)
                size_bytes -= len(part)
        except OSError as error:
            raise UnreadableError(self._device, self._path, error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)


def open_object(device: str, path: Path, root_fd: int, key: str) -> LocalObject | None:
    """The object ``key`` below the root's descriptor, which is at ``path``; None when there is none.

    Raises UnreadableError: the device itself was just found, so the fault lies with this object.
    """
    folders, name = split_key(key)
    try:
        with open_folder(root_fd, folders) as folder_fd:
            fd = open_regular_file(folder_fd, name)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(device, path, error) from error
    return LocalObject(device, path, fd)
