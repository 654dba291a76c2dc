"""Trees of files, written down as literals.

::

    Tree(
        {
            "readme": b"text",
            "bin/tool": File(b"#!/bin/sh", mode=0o4755),
            "bin/again": HardLink("bin/tool"),
            "latest": Symlink("nowhere"),
            b"not utf-8 \\xff": b"",
            "empty": Folder(mtime_ns=-1, attributes={"user.colour": b"red"}),
        }
    ).make(path)

Folders on the way to an entry need not be named.  Owners are those of the process, unless given.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from blake3 import blake3

from kit.flags import set_flags
from kit.long_paths import place_of

#: What entries get when nothing else is said: a time with nanoseconds, long past.
MTIME_NS = 1_600_000_000_123_456_789


@dataclass(frozen=True, kw_only=True, slots=True)
class _Metadata:
    mtime_ns: int = MTIME_NS
    #: (uid, gid); None leaves those of the process.
    owner: tuple[int, int] | None = None
    #: Extended attributes.
    attributes: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class File(_Metadata):
    content: bytes = b""
    mode: int = 0o644
    #: Letters as chattr(1) has them.
    flags: str = ""


@dataclass(frozen=True, slots=True)
class SparseFile(_Metadata):
    """``size_bytes`` long, and a hole but for ``islands``: offset → bytes."""

    size_bytes: int
    islands: Mapping[int, bytes]
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Folder(_Metadata):
    mode: int = 0o755
    #: As those of a file.
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Symlink(_Metadata):
    leads_to: str | bytes


@dataclass(frozen=True, slots=True)
class Fifo(_Metadata):
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Device(_Metadata):
    """A character or block device; only root can make one."""

    kind: Literal["character", "block"]
    major: int
    minor: int
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Socket(_Metadata):
    """What is left of a socket when nobody listens."""

    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class HardLink:
    """A further name of the file whose path in the tree is ``to``."""

    to: str | bytes


Entry = File | SparseFile | Folder | Symlink | Fifo | Device | Socket | HardLink

#: Path, of text or of bytes, → what is there; bytes are the content of a file.
Entries = Mapping[Any, Entry | bytes]


def noise(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that do not compress; the same for the same seed."""
    # Ten times as fast as random's.
    return blake3(str(seed).encode()).digest(size_bytes)


class Tree:
    """Path → entry; plain bytes stand for a file that holds them."""

    def __init__(self, entries: Entries) -> None:
        self._entries: dict[bytes, Entry] = {
            os.fsencode(path): File(entry) if isinstance(entry, bytes) else entry for path, entry in entries.items()
        }

    def make(self, root: Path) -> Path:
        """Make the tree; ``root`` may exist already.  Returns ``root``.

        Paths may be longer than the system takes at once.
        """
        top = os.fsencode(root)
        os.makedirs(top, exist_ok=True)
        for path, entry in self._entries.items():
            if not isinstance(entry, HardLink):
                with place_of(top, path) as place:
                    _make(place, entry)
        for path, entry in self._entries.items():
            if isinstance(entry, HardLink):
                with place_of(top, os.fsencode(entry.to)) as there, place_of(top, path) as place:
                    os.link(there, place, follow_symlinks=False)
        self._set_metadata(top)
        return root

    def _set_metadata(self, top: bytes) -> None:
        entries = {path: Folder() for entry in self._entries for path in _above(entry)} | self._entries
        # The deepest first: making an entry changes its folder's time.
        for path in sorted(entries, key=lambda path: -path.count(b"/")):
            with place_of(top, path) as place:
                _set_metadata(place, entries[path])
        # It may be a descriptor's way to a folder.
        _set_metadata(top + b"/.", Folder())


def _above(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path


def _make(place: bytes, entry: Entry) -> None:
    match entry:
        case File(content=content):
            with open(place, "xb") as file:
                file.write(content)
        case SparseFile(size_bytes=size_bytes, islands=islands):
            with open(place, "xb") as file:
                for offset, content in islands.items():
                    file.seek(offset)
                    file.write(content)
                file.truncate(size_bytes)
        case Symlink(leads_to=leads_to):
            os.symlink(os.fsencode(leads_to), place)
        case Fifo():
            os.mkfifo(place)
        case Device(kind=kind, major=major, minor=minor):
            os.mknod(place, stat.S_IFCHR if kind == "character" else stat.S_IFBLK, os.makedev(major, minor))
        case Socket():
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(place)
        case Folder():
            os.makedirs(place, exist_ok=True)


def _set_metadata(place: bytes, entry: Entry) -> None:
    if isinstance(entry, HardLink):
        return
    if entry.owner is not None:
        os.chown(place, *entry.owner, follow_symlinks=False)
    # After the owner: a change of owner takes setuid and capabilities away.
    for name, value in entry.attributes.items():
        os.setxattr(place, name, value, follow_symlinks=False)
    if not isinstance(entry, Symlink):
        os.chmod(place, entry.mode)
    os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
    if isinstance(entry, File | Folder) and entry.flags:
        set_flags(place, entry.flags)
