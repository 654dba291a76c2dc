"""Kinds of entries that the target's file system does not take."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.sources.metadata import MetadataKind
from workers.target.metadata.not_kept import NotKept
from workers.target.metadata.sealed import is_immutable

#: FAT and exFAT refuse with these; EIO is what exfat-fuse says of FIFOs and devices.
_REFUSED = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
_REFUSED_NODE = _REFUSED | {errno.EIO, errno.EINVAL}


class NotMade(Exception):
    """The entry is not there, and is counted."""


def is_refused(error: OSError, folder: int, kind: MetadataKind) -> bool:
    """Whether ``error`` says that no folder of the file system takes such an entry, not just this one."""
    codes = _REFUSED_NODE if kind in ("device-node", "fifo") else _REFUSED
    return error.errno in codes and not is_immutable(folder)


@contextmanager
def counted(kind: MetadataKind, folder: int, not_kept: NotKept) -> Iterator[None]:
    """Count an entry that the file system does not take, and raise NotMade; raises any other error as it is."""
    try:
        yield
    except OSError as error:
        if not is_refused(error, folder, kind):
            raise
        not_kept.unsupported[kind] += 1
        raise NotMade from error
