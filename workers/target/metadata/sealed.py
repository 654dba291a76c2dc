"""Files and folders that nobody may change, not even root, because of their flags."""

from __future__ import annotations

import array
import fcntl
import os
import stat

from tasks.sources.metadata import APPEND_ONLY, IMMUTABLE

#: FS_IOC_GETFLAGS.
_GET = 0x80086601


def is_immutable(folder: int) -> bool:
    """Whether nothing can be made in ``folder``, an O_PATH descriptor, because of its flags."""
    return bool(_flags_at(f"/proc/self/fd/{folder}") & IMMUTABLE)


def is_sealed(place: int | str) -> bool:
    """Whether flags keep the metadata of ``place``, a descriptor or a path that is safe to follow, from being set."""
    return bool(_flags_at(f"/proc/self/fd/{place}" if isinstance(place, int) else place) & (IMMUTABLE | APPEND_ONLY))


def _flags_at(path: str) -> int:
    present = array.array("i", [0, 0])
    try:
        # Only a file or folder has flags, and may be opened: opening a device may rewind a tape.
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            return 0
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        fcntl.ioctl(descriptor, _GET, present)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return present[0]
