"""What the kernel asks, passed on to :class:`producer.restore.mounted.snapshots.MountedSnapshots`."""

from __future__ import annotations

import errno
import itertools
import logging
import os
import stat
from collections.abc import Callable
from functools import wraps
from threading import Event, Lock
from typing import ParamSpec, TypeVar

from producer.restore.mounted.snapshots import MountedSnapshots
from producer.restore.mounted.status import Status
from producer.restore.reading.stored_files import StoredFile
from tasks.errors import SegfleetError

log = logging.getLogger("segfleet.mount")

_BLOCK_BYTES = 512

Answer = TypeVar("Answer")
Asked = ParamSpec("Asked")


def _failing_as_eio(method: Callable[Asked, Answer]) -> Callable[Asked, Answer]:
    """Trouble with the catalog fails one look at one path, with EIO; mfusepy would print a traceback."""

    @wraps(method)
    def guarded(*arguments: Asked.args, **named: Asked.kwargs) -> Answer:
        try:
            return method(*arguments, **named)
        except SegfleetError as error:
            log.warning("%s", error)
            raise OSError(errno.EIO, os.strerror(errno.EIO)) from error

    return guarded


class Operations:
    """What ``mfusepy`` calls, from several threads; paths begin with a slash."""

    #: Times are whole nanoseconds.
    use_ns = True

    def __init__(self, snapshots: MountedSnapshots) -> None:
        self.mounted = Event()
        self._snapshots = snapshots
        self._files: dict[int, StoredFile] = {}
        self._handles = itertools.count(1)
        self._lock = Lock()

    def init(self, _path: str) -> None:
        self.mounted.set()

    @_failing_as_eio
    def getattr(self, path: str, _handle: int | None = None) -> dict[str, int]:
        return _stat_of(self._snapshots.status(path[1:]))

    @_failing_as_eio
    def readdir(self, path: str, _handle: int) -> list[tuple[str, dict[str, int], int]]:
        # Any inode but 0, which stands for an entry that was removed.
        above = [(name, {"st_mode": stat.S_IFDIR, "st_ino": 1}, 0) for name in (".", "..")]
        names = self._snapshots.names(path[1:])
        return above + [(name, {"st_mode": mode, "st_ino": inode}, 0) for name, mode, inode in names]

    @_failing_as_eio
    def readlink(self, path: str) -> str:
        return self._snapshots.link(path[1:])

    @_failing_as_eio
    def listxattr(self, path: str) -> list[str]:
        return list(self._snapshots.attributes(path[1:]))

    @_failing_as_eio
    def getxattr(self, path: str, name: str, _position: int = 0) -> bytes:
        attributes = self._snapshots.attributes(path[1:])
        if name not in attributes:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        return attributes[name]

    @_failing_as_eio
    def open(self, path: str, _flags: int) -> int:
        file = self._snapshots.file(path[1:])
        with self._lock:
            handle = next(self._handles)
            self._files[handle] = file
        return handle

    @_failing_as_eio
    def read(self, path: str, size: int, offset: int, handle: int) -> bytes:
        return self._snapshots.read(path[1:], self._files[handle], size, offset)

    def release(self, _path: str, handle: int) -> int:
        with self._lock:
            self._files.pop(handle, None)
        return 0

    def statfs(self, _path: str) -> dict[str, int]:
        return {"f_bsize": _BLOCK_BYTES, "f_frsize": _BLOCK_BYTES, "f_namemax": 255}


def _stat_of(status: Status) -> dict[str, int]:
    return {
        "st_mode": status.mode,
        "st_uid": status.uid,
        "st_gid": status.gid,
        "st_size": status.size_bytes,
        "st_blocks": -(-status.size_bytes // _BLOCK_BYTES),
        "st_mtime": status.mtime_ns,
        "st_atime": status.mtime_ns,
        "st_ctime": status.ctime_ns,
        "st_ino": status.inode,
        "st_nlink": status.links_count,
        "st_rdev": status.device_number,
    }
