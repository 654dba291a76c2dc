"""Where the file system of an open folder is mounted: what tells a disk from its bare mount point.

Not its size, which twin disks share, nor the number of its device, which another disk may have next time.
"""

from __future__ import annotations

import os
import re

_OCTAL = re.compile(rb"\\([0-7]{3})")


def mount_point_of(fd: int) -> str:
    """The folder at which the file system of this open folder is mounted; "" where /proc does not tell."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", "rb") as lines:
            mount_id = next(line.split()[1] for line in lines if line.startswith(b"mnt_id:"))
        with open("/proc/self/mountinfo", "rb") as lines:
            point = next(fields[4] for fields in map(bytes.split, lines) if fields[0] == mount_id)
    except (OSError, StopIteration):
        return ""
    return os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), point))
