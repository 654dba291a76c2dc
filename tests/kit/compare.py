"""Whether two trees are the same: every byte, and all metadata that a backup keeps."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, fields, replace
from pathlib import Path

from kit.flags import flags_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One entry, as it is on the disk.  ``content`` is a digest; ``names`` all paths in the tree of a linked file."""

    kind: str
    mode: str
    owner: tuple[int, int]
    mtime_ns: int
    size_bytes: int = 0
    content: str = ""
    leads_to: bytes = b""
    device_number: int = 0
    names: frozenset[bytes] = frozenset()
    attributes: frozenset[tuple[str, bytes]] = frozenset()
    flags: str = ""
    #: Where a file has data and no hole: (start, stop) in bytes; empty unless asked for.
    data: tuple[tuple[int, int], ...] = ()


def look_at(root: Path, *, holes: bool = False) -> dict[bytes, Look]:
    """Every entry of the tree by its path, that of ``root`` itself being ``b"."``.

    With ``holes`` also where its files have holes.  Paths may be longer than the system takes at once.
    """
    top = os.fsencode(root)
    found = {b".": _look_at(top, holes=holes)}
    names_of: dict[tuple[int, int], set[bytes]] = {}
    inodes = {}
    if not stat.S_ISDIR(os.lstat(top).st_mode):
        return found
    for above, folders, files, folder in os.fwalk(top):
        for name in (*folders, *files):
            place = b"/proc/self/fd/%d/%s" % (folder, name)
            path = os.path.relpath(os.path.join(above, name), top)
            found[path] = _look_at(place, holes=holes)
            status = os.lstat(place)
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                inodes[path] = status.st_dev, status.st_ino
                names_of.setdefault(inodes[path], set()).add(path)
    return found | {path: replace(found[path], names=frozenset(names_of[inode])) for path, inode in inodes.items()}


def differences(
    expected: Path | dict[bytes, Look], found: Path | dict[bytes, Look], *, holes: bool = False
) -> list[str]:
    """What differs, in words; empty for equal trees.  With ``holes`` also where their files have holes."""
    before = look_at(expected, holes=holes) if isinstance(expected, Path) else expected
    after = look_at(found, holes=holes) if isinstance(found, Path) else found
    told = [f"{os.fsdecode(path)!r} is missing" for path in sorted(before.keys() - after.keys())]
    told += [f"{os.fsdecode(path)!r} should not be there" for path in sorted(after.keys() - before.keys())]
    for path in sorted(before.keys() & after.keys()):
        told += [
            f"{os.fsdecode(path)!r}: {field.name} should be {was!r}, is {now!r}"
            for field in fields(Look)
            if (was := getattr(before[path], field.name)) != (now := getattr(after[path], field.name))
        ]
    return told


def _look_at(place: bytes, *, holes: bool) -> Look:
    status = os.lstat(place)
    is_file, is_link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
    return Look(
        kind=stat.filemode(status.st_mode)[0],
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        owner=(status.st_uid, status.st_gid),
        mtime_ns=status.st_mtime_ns,
        size_bytes=status.st_size if is_file else 0,
        content=_digest(place) if is_file else "",
        leads_to=os.readlink(place) if is_link else b"",
        device_number=status.st_rdev,
        attributes=_attributes(place),
        flags=flags_at(place) if is_file or stat.S_ISDIR(status.st_mode) else "",
        data=_data_ranges(place, status.st_size) if holes and is_file else (),
    )


def _attributes(place: bytes) -> frozenset[tuple[str, bytes]]:
    try:
        names = os.listxattr(place, follow_symlinks=False)
        return frozenset((name, os.getxattr(place, name, follow_symlinks=False)) for name in names)
    except OSError:  # a file system that has none
        return frozenset()


def _data_ranges(place: bytes, size_bytes: int) -> tuple[tuple[int, int], ...]:
    ranges, at = [], 0
    with open(place, "rb", buffering=0) as file:
        while at < size_bytes:
            try:
                start = file.seek(at, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # a hole up to the end
                    break
                raise
            at = file.seek(start, os.SEEK_HOLE)
            ranges.append((start, at))
    return tuple(ranges)


def _digest(place: bytes) -> str:
    with open(place, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
