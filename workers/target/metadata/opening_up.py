"""Lets users restore into their own folders that they may not write to, as root can."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

_Result = TypeVar("_Result")


def in_folder(folder: int, change: Callable[[], _Result]) -> _Result:
    """Carry out ``change`` in ``folder``, an O_PATH descriptor; its mode is the same afterwards.

    If its own mode denies that to its owner, the folder is opened up for the owner meanwhile.
    """
    try:
        return change()
    except PermissionError:
        found = os.fstat(folder)
        if found.st_uid != os.geteuid() or found.st_mode & stat.S_IRWXU == stat.S_IRWXU:
            raise
    with _opened_up(folder):
        return change()


@contextmanager
def _opened_up(folder: int) -> Iterator[None]:
    # An O_PATH descriptor does not support fchmod.
    place = f"/proc/self/fd/{folder}"
    # One at a time: another worker must not take the open mode for the folder's own.
    with _locked(place):
        mode = stat.S_IMODE(os.fstat(folder).st_mode)
        os.chmod(place, mode | stat.S_IRWXU)
        try:
            yield
        finally:
            os.chmod(place, mode)


@contextmanager
def _locked(place: str) -> Iterator[None]:
    """Locks where that is possible: a folder that its owner may not read cannot be locked."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except PermissionError:
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
