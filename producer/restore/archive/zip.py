"""Writes members as a zip archive."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO, cast

from producer.listing import Entry
from producer.restore.archive.members import Member
from producer.restore.reading.without_holes import Out

_TYPE_BITS = {"directory": stat.S_IFDIR, "file": stat.S_IFREG, "symlink": stat.S_IFLNK}

#: MS-DOS, which zip takes its times from.
_FIRST, _LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)

#: Above this, sizes take 64 bits; deflate may make data a little larger.
_LARGE_BYTES = 2**31 - 2**24


class ZipArchive:
    """Writes files, directories and symlinks with modes, owners by number and times in seconds.

    A zip ends with a directory of all members, which is in memory until then: half a KiB for each.
    """

    def __init__(self, out: Out) -> None:
        self._out = out
        self._zip = zipfile.ZipFile(cast(IO[bytes], _Unseekable(out)), "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._not_kept: Counter[str] = Counter()

    def add(self, member: Member, data: Iterable[bytes]) -> None:
        """``data`` has the bytes of a file; of others it is empty."""
        entry = member.entry
        if entry.kind not in _TYPE_BITS:
            self._not_kept["device nodes and FIFOs"] += 1
            return
        self._count_what_is_lost(entry)
        info = _info(entry, self._name(entry))
        with self._zip.open(info, "w", force_zip64=member.size_bytes > _LARGE_BYTES) as file:
            if entry.kind == "symlink":
                file.write(entry.link.encode("utf-8", "surrogateescape"))
            for block in data:
                file.write(block)

    def finish(self) -> None:
        self._zip.close()
        self._out.flush()

    def not_kept(self) -> dict[str, int]:
        """What the format cannot hold → how many entries have it."""
        return dict(self._not_kept)

    def _name(self, entry: Entry) -> str:
        path = entry.snapshot_path
        name = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        if name != path:
            self._not_kept["names that are not UTF-8 (their bytes are written as \\xNN)"] += 1
        return f"{name}/" if entry.kind == "directory" else name

    def _count_what_is_lost(self, entry: Entry) -> None:
        self._not_kept["extended attributes and ACLs"] += bool(entry.attributes)
        self._not_kept["file flags"] += bool(entry.flags)
        self._not_kept = +self._not_kept


def _info(entry: Entry, name: str) -> zipfile.ZipInfo:
    seconds = entry.mtime_ns // 1_000_000_000
    info = zipfile.ZipInfo(name, _dos_time(seconds))
    info.compress_type = zipfile.ZIP_DEFLATED if entry.kind == "file" else zipfile.ZIP_STORED
    info.create_system = 3  # Unix: the upper half of the attributes is the mode
    info.external_attr = (_TYPE_BITS[entry.kind] | entry.mode) << 16 | (0x10 if entry.kind == "directory" else 0)
    info.extra = _extra(seconds, entry.uid, entry.gid)
    return info


def _dos_time(seconds: int) -> tuple[int, int, int, int, int, int]:
    try:
        moment = min(max(datetime.fromtimestamp(seconds, UTC), _FIRST), _LAST)
    except (OverflowError, ValueError, OSError):
        moment = _FIRST
    return moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second


def _extra(seconds: int, uid: int, gid: int) -> bytes:
    """Info-ZIP's fields: the time of the last change as Unix has it, where it fits, and the owner."""
    owner = struct.pack("<HHBBIBI", 0x7875, 11, 1, 4, uid & 0xFFFFFFFF, 4, gid & 0xFFFFFFFF)
    if not -(2**31) <= seconds < 2**31:
        return owner
    return struct.pack("<HHBi", 0x5455, 5, 1, seconds) + owner


class _Unseekable:
    """``zipfile`` writes sizes behind the data when it cannot go back."""

    def __init__(self, out: Out) -> None:
        self.write = out.write
        self.flush = out.flush

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError("a stream")
