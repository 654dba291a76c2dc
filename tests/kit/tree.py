"""Trees of files, written down as literals.

::

    Tree(
        {
            "readme": b"text",
            "bin/tool": File(b"#!/bin/sh", mode=0o4755),
            "bin/again": HardLink("bin/tool"),
            "latest": Symlink("nowhere"),
            b"not utf-8 \\xff": b"",
            "empty": Folder(mtime_ns=-1),
        }
    ).make(path)

Folders on the way to an entry need not be named.  Owners are those of the process, unless given.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What entries get when nothing else is said: a time with nanoseconds, long past.
MTIME_NS = 1_600_000_000_123_456_789


@dataclass(frozen=True, kw_only=True, slots=True)
class _Metadata:
    mtime_ns: int = MTIME_NS
    #: (uid, gid); None leaves those of the process.
    owner: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class File(_Metadata):
    content: bytes = b""
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class SparseFile(_Metadata):
    """``size_bytes`` long, and a hole but for ``islands``: offset → bytes."""

    size_bytes: int
    islands: Mapping[int, bytes]
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Folder(_Metadata):
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Symlink(_Metadata):
    leads_to: str | bytes


@dataclass(frozen=True, slots=True)
class Fifo(_Metadata):
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class HardLink:
    """A further name of the file whose path in the tree is ``to``."""

    to: str | bytes


Entry = File | SparseFile | Folder | Symlink | Fifo | HardLink

#: Path, of text or of bytes, → what is there; bytes are the content of a file.
Entries = Mapping[Any, Entry | bytes]


def noise(size_bytes: int, seed: int = 0) -> bytes:
    """Bytes that do not compress; the same for the same seed."""
    return random.Random(seed).randbytes(size_bytes)


class Tree:
    """Path → entry; plain bytes stand for a file that holds them."""

    def __init__(self, entries: Entries) -> None:
        self._entries = {
            os.fsencode(path): File(entry) if isinstance(entry, bytes) else entry for path, entry in entries.items()
        }

    def make(self, root: Path) -> Path:
        """Make the tree; ``root`` may exist already.  Returns ``root``."""
        top = os.fsencode(root)
        os.makedirs(top, exist_ok=True)
        for path, entry in self._entries.items():
            if not isinstance(entry, HardLink):
                os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
                _make(os.path.join(top, path), entry)
        for path, entry in self._entries.items():
            if isinstance(entry, HardLink):
                os.makedirs(os.path.join(top, os.path.dirname(path)), exist_ok=True)
                os.link(os.path.join(top, os.fsencode(entry.to)), os.path.join(top, path))
        self._set_metadata(top)
        return root

    def _set_metadata(self, top: bytes) -> None:
        # The deepest first: making an entry changes its folder's time.
        given = {os.path.join(top, path): entry for path, entry in self._entries.items()}
        for folder, folders, files in os.walk(top, topdown=False):
            for path in [os.path.join(folder, name) for name in (*files, *folders)]:
                _set_metadata(path, given.get(path, Folder()))
        _set_metadata(top, Folder())


def _make(path: bytes, entry: Entry) -> None:
    match entry:
        case File(content=content):
            with open(path, "xb") as file:
                file.write(content)
        case SparseFile(size_bytes=size_bytes, islands=islands):
            with open(path, "xb") as file:
                for offset, content in islands.items():
                    file.seek(offset)
                    file.write(content)
                file.truncate(size_bytes)
        case Symlink(leads_to=leads_to):
            os.symlink(os.fsencode(leads_to), path)
        case Fifo():
            os.mkfifo(path)
        case Folder():
            os.makedirs(path, exist_ok=True)


def _set_metadata(path: bytes, entry: Entry) -> None:
    if isinstance(entry, HardLink):
        return
    if entry.owner is not None:
        os.chown(path, *entry.owner, follow_symlinks=False)
    # After the owner: a change of owner takes setuid away.
    if not isinstance(entry, Symlink):
        os.chmod(path, entry.mode)
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
