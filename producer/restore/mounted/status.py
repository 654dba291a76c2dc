"""An entry as ``stat`` shows it.  Pure."""

from __future__ import annotations

import os
import stat

from msgspec import Struct

from producer.listing import Entry

TYPE_BITS = {
    "d": stat.S_IFDIR,
    "f": stat.S_IFREG,
    "h": stat.S_IFREG,
    "l": stat.S_IFLNK,
    "p": stat.S_IFIFO,
    "c": stat.S_IFCHR,
    "b": stat.S_IFBLK,
}
_LETTERS = {
    "directory": "d",
    "file": "f",
    "hardlink": "h",
    "symlink": "l",
    "fifo": "p",
    "character": "c",
    "block": "b",
}


class Status(Struct, frozen=True, kw_only=True):
    """As ``stat`` has it; ``mode`` with the bits of the kind."""

    mode: int
    uid: int
    gid: int
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    links_count: int = 1
    device_number: int = 0


def status_of(entry: Entry, number: int, links_count: int) -> Status:
    """``number`` is that of the snapshot in the file system; a hard link is shown by the entry that holds its data."""
    return Status(
        mode=TYPE_BITS[_LETTERS[entry.kind]] | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size_bytes=len(os.fsencode(entry.link)) if entry.kind == "symlink" else entry.size_bytes,
        mtime_ns=entry.mtime_ns,
        ctime_ns=entry.ctime_ns,
        inode=inode_of(number, entry.index),
        links_count=links_count,
        device_number=entry.device_number,
    )


def inode_of(number: int, index: int) -> int:
    """Different for all entries of all snapshots, and never 0."""
    return (number << 40) + index + 1
