"""Headers of tar archives in the format that POSIX calls pax: ustar, and records for what ustar cannot hold.  Pure.

Not by the standard library: ``tarfile`` keeps all members in memory, and marks bytes that are not UTF-8 in a way that
makes GNU tar warn.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator

from producer.listing import Entry
from tasks.sources.metadata import APPEND_ONLY, IMMUTABLE, NO_DUMP, OwnerNames

BLOCK_BYTES = 512
#: tar writes records of 20 blocks.
RECORD_BYTES = 20 * BLOCK_BYTES

_TYPE_FLAGS = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "character": b"3",
    "block": b"4",
    "directory": b"5",
    "fifo": b"6",
}
_PAX = b"x"
#: As libarchive names them in SCHILY.fflags.
_FLAG_NAMES = {IMMUTABLE: b"schg", APPEND_ONLY: b"sappnd", NO_DUMP: b"nodump"}

_MAX_SIZE = 8**11 - 1
_MAX_NUMBER = 8**7 - 1
_NAME_BYTES, _LINK_BYTES, _OWNER_BYTES = 100, 100, 32


def header_of(entry: Entry, owner_names: OwnerNames) -> bytes:
    """The header of a member, with the pax header in front of it; as many bytes of data follow as a file has."""
    name = os.fsencode(entry.snapshot_path) + (b"/" if entry.kind == "directory" else b"")
    link = os.fsencode(entry.link)
    user = os.fsencode(owner_names.users.get(str(entry.uid), ""))
    group = os.fsencode(owner_names.groups.get(str(entry.gid), ""))
    size_bytes = entry.size_bytes if entry.kind == "file" else 0
    records = b"".join(_records(entry, name, link, user, group, size_bytes))
    pax = b""
    if records:
        pax = _ustar(b"@PaxHeader", _PAX, size_bytes=len(records)) + records + padding(len(records))
    return pax + _ustar(
        name,
        _TYPE_FLAGS[entry.kind],
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size_bytes=size_bytes,
        mtime_s=entry.mtime_ns // 1_000_000_000,
        link=link,
        user=user,
        group=group,
        device_number=entry.device_number,
    )


def padding(size_bytes: int) -> bytes:
    """What makes data of this size whole blocks."""
    return bytes(-size_bytes % BLOCK_BYTES)


def end_after(size_bytes: int) -> bytes:
    """The end of an archive that has this many bytes so far: two empty blocks, and zeros to a whole record."""
    return bytes(2 * BLOCK_BYTES + -(size_bytes + 2 * BLOCK_BYTES) % RECORD_BYTES)


def _records(entry: Entry, name: bytes, link: bytes, user: bytes, group: bytes, size_bytes: int) -> Iterator[bytes]:
    if _is_beyond(name, _NAME_BYTES):
        yield _record(b"path", name)
    if _is_beyond(link, _LINK_BYTES):
        yield _record(b"linkpath", link)
    seconds, fraction_ns = divmod(entry.mtime_ns, 1_000_000_000)
    if fraction_ns or not 0 <= seconds <= _MAX_SIZE:
        yield _record(b"mtime", _decimal(entry.mtime_ns))
    for key, number, most in (
        (b"size", size_bytes, _MAX_SIZE),
        (b"uid", entry.uid, _MAX_NUMBER),
        (b"gid", entry.gid, _MAX_NUMBER),
    ):
        if number > most:
            yield _record(key, b"%d" % number)
    for key, owner in ((b"uname", user), (b"gname", group)):
        if _is_beyond(owner, _OWNER_BYTES):
            yield _record(key, owner)
    if entry.kind in ("character", "block") and max(_major_minor(entry.device_number)) > _MAX_NUMBER:
        major, minor = _major_minor(entry.device_number)
        yield _record(b"SCHILY.devmajor", b"%d" % major) + _record(b"SCHILY.devminor", b"%d" % minor)
    if entry.kind != "hardlink":
        yield from _extended(entry)


def _extended(entry: Entry) -> Iterator[bytes]:
    for attribute, value in entry.attributes.items():
        # As GNU tar writes it: "=" ends the keyword.
        keyword = os.fsencode(attribute).replace(b"%", b"%25").replace(b"=", b"%3D")
        yield _record(b"SCHILY.xattr." + keyword, base64.b64decode(value))
    flags = [name for flag, name in _FLAG_NAMES.items() if entry.flags & flag]
    if flags:
        yield _record(b"SCHILY.fflags", b",".join(flags))


def _is_beyond(text: bytes, limit_bytes: int) -> bool:
    """Whether ustar has no room for it, or promises nothing about its letters."""
    return len(text) > limit_bytes or not text.isascii()


def _record(keyword: bytes, value: bytes) -> bytes:
    """``LENGTH keyword=value``; the length counts itself."""
    rest = b" %b=%b\n" % (keyword, value)
    length = len(rest) + len(str(len(rest)))
    if len(str(length)) > len(str(len(rest))):
        length += 1
    return b"%d%b" % (length, rest)


def _decimal(time_ns: int) -> bytes:
    """Seconds with nine digits behind the point."""
    sign = b"-" if time_ns < 0 else b""
    seconds, fraction_ns = divmod(abs(time_ns), 1_000_000_000)
    text = b"%b%d.%09d" % (sign, seconds, fraction_ns)
    return text.rstrip(b"0").rstrip(b".")


def _major_minor(device_number: int) -> tuple[int, int]:
    return os.major(device_number), os.minor(device_number)


def _ustar(
    name: bytes,
    type_flag: bytes,
    *,
    mode: int = 0o644,
    uid: int = 0,
    gid: int = 0,
    size_bytes: int = 0,
    mtime_s: int = 0,
    link: bytes = b"",
    user: bytes = b"",
    group: bytes = b"",
    device_number: int = 0,
) -> bytes:
    """One block.  What does not fit is cut, or 0: a pax record has it whole."""
    major, minor = _major_minor(device_number)
    fields = [
        name[:_NAME_BYTES].ljust(_NAME_BYTES, b"\0"),
        _octal(stat.S_IMODE(mode), 8),
        _octal(uid, 8),
        _octal(gid, 8),
        _octal(size_bytes, 12),
        _octal(mtime_s, 12),
        b" " * 8,
        type_flag,
        link[:_LINK_BYTES].ljust(_LINK_BYTES, b"\0"),
        b"ustar\x0000",
        user[:_OWNER_BYTES].ljust(_OWNER_BYTES, b"\0"),
        group[:_OWNER_BYTES].ljust(_OWNER_BYTES, b"\0"),
        _octal(major, 8),
        _octal(minor, 8),
    ]
    block = b"".join(fields).ljust(BLOCK_BYTES, b"\0")
    checksum = b"%06o\0 " % sum(block)
    return block[:148] + checksum + block[156:]


def _octal(number: int, width_bytes: int) -> bytes:
    digits = width_bytes - 1
    return b"%0*o\0" % (digits, number if 0 <= number < 8**digits else 0)
