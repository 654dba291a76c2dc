"""Where tests keep their machines and fleets: in memory, where a sync costs nothing.

A backup syncs some sixty times, which takes a tenth of its processor time and most of its waiting.  What has to be on a
disk of some kind is on an image in the test's folder.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path

from kit.flags import flags_at, set_flags

#: The variable that keeps all on the disk of temporary files, for tests that write gigabytes.
_ON_DISK = "SEGFLEET_TESTS_ON_DISK"

_MEMORY = Path("/dev/shm")
#: Several times what all tests have at one time.
_ROOM_BYTES = 4 * 2**30
_REFUSES = os.ST_NOEXEC | os.ST_NODEV


def new_folder(prefix: str) -> Path:
    """A new folder of a short path: that of a unix socket has 107 bytes at most."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=None if _ON_DISK in os.environ else _memory()))


@cache
def _memory() -> Path | None:
    """The file system in memory; None where there is little room, or it does not keep all that a disk's does."""
    if not os.access(_MEMORY, os.W_OK) or tempfile.gettempdir() != "/tmp":
        return None
    state = os.statvfs(_MEMORY)
    if state.f_flag & _REFUSES or state.f_bavail * state.f_frsize < _ROOM_BYTES:
        return None
    return _MEMORY if _keeps_metadata() else None


def _keeps_metadata() -> bool:
    """Whether it has attributes of users and flags, which it has since Linux 6.6."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        try:
            os.setxattr(folder, "user.test", b"kept")
            set_flags(Path(folder), "d")
        except OSError:
            return False
        return flags_at(Path(folder)) == "d"
