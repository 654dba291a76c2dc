"""Which mount a file of the target is on."""

from __future__ import annotations

import os
import re

_MOUNT = re.compile(rb"^mnt_id:\s*([0-9]+)$", re.MULTILINE)


def mount_of(descriptor: int) -> int:
    """The mount that an open descriptor (O_PATH will do) is on; where the kernel does not tell, the file system.

    A folder that is bound into another one is another mount of the same file system.
    """
    info = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = _MOUNT.search(os.read(info, 4096))
    finally:
        os.close(info)
    return int(found[1]) if found else os.fstat(descriptor).st_dev
