"""What is mounted, and which block devices lie on which: from /proc and /sys, readable by everybody."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tasks.errors import UsageError

_SYS = Path("/sys/dev/block")


class UnknownMountsError(UsageError):
    """There is no /proc."""

    code = "no-proc"
    hint = "mount it: mount -t proc proc /proc"


class Mount(Struct, frozen=True, kw_only=True):
    """One line of /proc/self/mountinfo.  ``number`` is major:minor; ``root`` is the folder of it that is mounted."""

    number: str
    root: str
    point: str
    kind: str
    source: str
    is_read_only: bool


def mounts() -> list[Mount]:
    """All mounts that this process sees; later ones may hide earlier ones.  Raises UnknownMountsError."""
    try:
        return parse_mounts(Path("/proc/self/mountinfo").read_text(errors="surrogateescape"))
    except OSError as error:
        raise UnknownMountsError(f"/proc does not say what is mounted: {error.strerror}") from error


def parse_mounts(text: str) -> list[Mount]:
    """The mounts in the text of a mountinfo file (proc_pid_mountinfo(5))."""
    return [_mount(line) for line in text.splitlines()]


def mount_at(path: Path) -> Mount | None:
    """The mount whose mount point is ``path`` (a real path); None when nothing is mounted there."""
    found = [mount for mount in mounts() if mount.point == str(path)]
    return found[-1] if found else None


def mounts_of(raw_volume: Path) -> list[Mount]:
    """Where a raw volume, one of its partitions, or a loop device on it, is mounted."""
    numbers = numbers_on(raw_volume)
    return [mount for mount in mounts() if mount.number in numbers]


def number_of(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"


def numbers_on(raw_volume: Path) -> set[str]:
    """The numbers of the block devices that share its bytes: itself, its partitions, loop devices on it."""
    status = raw_volume.stat()
    found = {number_of(status.st_rdev)} if stat.S_ISBLK(status.st_mode) else set()
    found |= _loops_on(raw_volume)
    for number in list(found):
        found |= {text for folder in (_SYS / number).glob("*/partition") if (text := _read(folder.parent / "dev"))}
    return found


def holders_of(raw_volume: Path) -> list[str]:
    """Names of the block devices (RAID, LVM, dm-crypt) that are made of ``raw_volume`` or a part of it."""
    return sorted({path.name for number in numbers_on(raw_volume) for path in (_SYS / number / "holders").glob("*")})


def lower_devices(number: str) -> Iterator[str]:
    """The numbers of the block devices that ``number`` lies on, itself included, and the files of loop devices."""
    yield number
    folder = _SYS / number
    with suppress(OSError):
        real = folder.resolve(strict=True)
        if (real / "partition").exists() and (parent := _read(real.parent / "dev")):
            yield parent
        backing = _read(real / "loop/backing_file")
        if backing:
            yield backing
        for slave in (real / "slaves").glob("*"):
            if text := _read(slave / "dev"):
                yield from lower_devices(text)


def _loops_on(path: Path) -> set[str]:
    real = str(path.resolve())
    return {
        text
        for backing in Path("/sys/block").glob("loop*/loop/backing_file")
        if _read(backing) == real and (text := _read(backing.parents[1] / "dev"))
    }


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="surrogateescape").strip()
    return ""


def _mount(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    _, _, number, root, point, *_ = before.split(" ")
    kind, source, super_options = (after.split(" ") + ["", ""])[:3]
    return Mount(
        number=number,
        root=_unescaped(root),
        point=_unescaped(point),
        kind=kind,
        source=_unescaped(source),
        # It may be mounted writable elsewhere, so the options of the file system count.
        is_read_only="ro" in super_options.split(","),
    )


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
