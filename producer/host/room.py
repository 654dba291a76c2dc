"""Whether a folder can be written now: a disk that is full or read-only must not stop anyone who only reads."""

from __future__ import annotations

import errno
import os
from pathlib import Path

#: What SQLite and the private broker need at least.
_ROOM_BYTES = 256 * 1024

_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


def why_not_writable(folder: Path) -> str:
    """Why no file of some size can be made in ``folder``; "" if one can."""
    try:
        _try(folder)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _try(folder: Path) -> None:
    try:
        # Without a name: nobody sees it, and nothing remains.
        file = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in _UNSUPPORTED or not folder.is_dir():
            raise
        _ask(folder)
        return
    try:
        os.posix_fallocate(file, 0, _ROOM_BYTES)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _ask(folder)
    finally:
        os.close(file)


def _ask(folder: Path) -> None:
    """For file systems that cannot make a file without a name."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    room = os.statvfs(folder)
    if room.f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if room.f_bavail * room.f_frsize < _ROOM_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
