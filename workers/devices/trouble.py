"""What the operating system's errors mean for a device."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import DeviceError, DeviceFullError


class UnreadableError(DeviceError, OSError):
    """Stored bytes cannot be read; an OSError too, because one bad sector must not hide what is around it."""

    code = "unreadable"

    def __init__(self, device: str, path: Path, error: OSError) -> None:
        super().__init__(f"device {device}: {path}: {reason_of(error)}", path=str(path))
        self.errno = error.errno


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def reason_of(error: OSError) -> str:
    """The operating system's message, without the path."""
    return os.strerror(error.errno) if error.errno else str(error)


def device_error(device: str, path: Path, error: OSError) -> DeviceError:
    """The error to raise when an operation on ``path`` failed with ``error``."""
    reason = reason_of(error)
    if error.errno in _NO_ROOM:
        return DeviceFullError(f"device {device} is full: {path}: {reason}", path=str(path))
    return DeviceError(f"device {device}: {path}: {reason}", path=str(path))


@contextmanager
def device_errors(device: str, path: Path) -> Iterator[None]:
    """In the block, every OSError becomes a DeviceError that names the device and ``path``."""
    try:
        yield
    except OSError as error:
        raise device_error(device, path, error) from error
