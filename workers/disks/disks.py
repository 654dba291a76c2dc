"""Which disk a path is on, and whether it rotates, from sysfs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

_SYSFS = Path("/sys")

#: virtio and Xen.
_VIRTUAL_DISKS = ("vd", "xvd")


class Disk(Struct, frozen=True, kw_only=True):
    """``name`` is the same for all that is on the same disk, or on the same set of disks; it has no slash."""

    name: str
    rotates: bool


def disk_of(place: Path | int, sysfs: Path = _SYSFS) -> Disk:
    """The disk below the file system of ``place``, a path or a descriptor, or below the block device that it is.

    Partitions count as their disk; logical volumes, encryption and RAID as the disks below.  What has no disk in
    sysfs (network, memory, btrfs) or a virtual one gets a name and does not rotate.  Raises OSError when
    ``place`` is not there.
    """
    status = os.stat(place)
    number = status.st_rdev if stat.S_ISBLK(status.st_mode) else status.st_dev
    return _disk(f"{os.major(number)}:{os.minor(number)}", sysfs)


@lru_cache  # saves six system calls for every segment
def _disk(number: str, sysfs: Path) -> Disk:
    node = sysfs / "dev" / "block" / number
    if not node.exists():
        return Disk(name=number, rotates=False)
    disks = set(_disks_below(node.resolve()))
    return Disk(name="+".join(sorted(disk.name for disk in disks)), rotates=any(map(_rotates, disks)))


def _disks_below(node: Path) -> Iterator[Path]:
    whole = node.parent if (node / "partition").exists() else node
    lower = list((whole / "slaves").glob("*"))
    for each in lower:
        yield from _disks_below(each.resolve())
    if not lower:
        yield whole


def _rotates(disk: Path) -> bool:
    # A virtual machine's disk says 1 unless its operator has configured otherwise, so it means nothing.
    if disk.name.startswith(_VIRTUAL_DISKS):
        return False
    try:
        return (disk / "queue" / "rotational").read_text().strip() == "1"
    except OSError:
        return False
