"""Whether two trees are the same: every byte, and all metadata that a backup keeps."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, fields
from pathlib import Path


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


def look_at(root: Path) -> dict[bytes, Look]:
    """Every entry of the tree by its path, that of ``root`` itself being ``b"."``."""
    top = os.fsencode(root)
    paths = [top]
    for folder, folders, files in os.walk(top):
        paths += [os.path.join(folder, name) for name in (*folders, *files)]
    relative = {path: os.path.relpath(path, top) for path in paths}
    names_of = _names_of_linked_files(relative)
    return {relative[path]: _look_at(path, names_of) for path in paths}


def differences(expected: Path | dict[bytes, Look], found: Path | dict[bytes, Look]) -> list[str]:
    """What differs, in words; empty for equal trees."""
    before = look_at(expected) if isinstance(expected, Path) else expected
    after = look_at(found) if isinstance(found, Path) else found
    told = [f"{os.fsdecode(path)!r} is missing" for path in sorted(before.keys() - after.keys())]
    told += [f"{os.fsdecode(path)!r} should not be there" for path in sorted(after.keys() - before.keys())]
    for path in sorted(before.keys() & after.keys()):
        told += [
            f"{os.fsdecode(path)!r}: {field.name} should be {was!r}, is {now!r}"
            for field in fields(Look)
            if (was := getattr(before[path], field.name)) != (now := getattr(after[path], field.name))
        ]
    return told


def _look_at(path: bytes, names_of: dict[tuple[int, int], set[bytes]]) -> Look:
    status = os.lstat(path)
    is_file, is_link = stat.S_ISREG(status.st_mode), stat.S_ISLNK(status.st_mode)
    return Look(
        kind=stat.filemode(status.st_mode)[0],
        mode=f"{stat.S_IMODE(status.st_mode):04o}",
        owner=(status.st_uid, status.st_gid),
        mtime_ns=status.st_mtime_ns,
        size_bytes=status.st_size if is_file else 0,
        content=_digest(path) if is_file else "",
        leads_to=os.readlink(path) if is_link else b"",
        device_number=status.st_rdev,
        names=frozenset(names_of.get((status.st_dev, status.st_ino), ())),
        attributes=_attributes(path),
    )


def _attributes(path: bytes) -> frozenset[tuple[str, bytes]]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
        return frozenset((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)
    except OSError:  # a file system that has none
        return frozenset()


def _names_of_linked_files(relative: dict[bytes, bytes]) -> dict[tuple[int, int], set[bytes]]:
    names_of: dict[tuple[int, int], set[bytes]] = {}
    for path, name in relative.items():
        status = os.lstat(path)
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            names_of.setdefault((status.st_dev, status.st_ino), set()).add(name)
    return names_of


def _digest(path: bytes) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
