"""Which ranges of a raw volume no file uses, as the tools of its file system report; never guessed.

Whatever a tool does not clearly report as free counts as used: the range after the file system's end, what the tool
cannot read, and all of a file system whose log has not been replayed, because its bitmaps may be older than its files.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from producer.raw.ranges import Range, gaps, merged
from producer.raw.tools import ToolError, file_system_of, run_tool

#: Smaller free ranges are read like used ones: skipping them would cost more than reading them.
MIN_UNUSED_BYTES = 64 * 1024


class Unused(Struct, frozen=True, kw_only=True):
    """``ranges`` ascend.  ``why`` tells the user where they come from, or why there are none."""

    ranges: tuple[Range, ...]
    why: str


def unused_ranges(raw_volume: Path, size_bytes: int) -> Unused:
    """The unused ranges of at least MIN_UNUSED_BYTES; never fails."""
    kind = file_system_of(raw_volume)
    reader = _READERS.get(kind)
    try:
        free = list(reader(raw_volume)) if reader is not None else []
        why = f"free blocks of {kind} are left out" if reader else f"all blocks: no reader for {kind or 'its content'}"
    except (ToolError, ValueError) as error:
        free, why = [], f"all blocks: {error}"
    found = merged([*(Range(item.start, min(item.stop, size_bytes)) for item in free), *_holes(raw_volume, size_bytes)])
    return Unused(ranges=tuple(item for item in found if item.size_bytes >= MIN_UNUSED_BYTES), why=why)


def _holes(raw_volume: Path, size_bytes: int) -> Iterator[Range]:
    """The holes of an image file."""
    fd = os.open(raw_volume, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        position = 0 if stat.S_ISREG(os.fstat(fd).st_mode) else size_bytes
        while position < size_bytes:
            hole = os.lseek(fd, position, os.SEEK_HOLE)
            position = _next_data(fd, hole, size_bytes)
            if hole < position:
                yield Range(hole, position)
    except OSError:
        # The file system does not report holes, so they are read.
        return
    finally:
        os.close(fd)


def _next_data(fd: int, position: int, size_bytes: int) -> int:
    try:
        return os.lseek(fd, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size_bytes
        raise


def _extfs(raw_volume: Path) -> Iterator[Range]:
    text = run_tool("dumpe2fs", raw_volume)
    block_bytes = _number(r"^Block size: +(\d+)", text)
    if "needs_recovery" in _text(r"^Filesystem features: +(.*)", text):
        raise ToolError("its journal has not been replayed")
    state = _text(r"^Filesystem state: +(.*)", text)
    if state != "clean":
        raise ToolError(f"the file system is {state}")
    for line in re.findall(r"^  Free blocks: (.*)$", text, re.MULTILINE):
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
            yield Range(int(first) * block_bytes, (int(last or first) + 1) * block_bytes)


def _xfs(raw_volume: Path) -> Iterator[Range]:
    log = run_tool("xfs_logprint", "-t", raw_volume)
    if "<CLEAN>" not in log:
        raise ToolError("its log has not been replayed")
    numbers = run_tool("xfs_db", "-r", "-c", "sb 0", "-c", "p blocksize agblocks", raw_volume)
    block_bytes, group_blocks = _number(r"^blocksize = (\d+)", numbers), _number(r"^agblocks = (\d+)", numbers)
    for group, block, count in re.findall(
        r"^ +(\d+) +(\d+) +(\d+)$",
        run_tool("xfs_db", "-r", "-c", "freesp -d", raw_volume).partition("from")[0],
        re.MULTILINE,
    ):
        start = (int(group) * group_blocks + int(block)) * block_bytes
        yield Range(start, start + int(count) * block_bytes)


def _partclone(kind: str) -> Callable[[Path], Iterator[Range]]:
    def read(raw_volume: Path) -> Iterator[Range]:
        text = run_tool(f"partclone.{kind}", "-D", "-s", raw_volume, "-o", "-", "-L", os.devnull)
        rows = [
            (Range(int(start, 16), int(start, 16) + int(size, 16)), mark)
            for start, size, mark in re.findall(r"^(0x[0-9A-F]+)\s+(0x[0-9A-F]+)\s+(\S)$", text, re.MULTILINE)
        ]
        if not any(mark == "+" for _, mark in rows):
            raise ToolError(f"partclone.{kind} names no used block")
        used = merged(item for item, mark in rows if mark == "+")
        return iter(gaps(used, max(item.stop for item, _ in rows)))

    return read


def _number(pattern: str, text: str) -> int:
    return int(_text(pattern, text))


def _text(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise ToolError(f"its answer was not understood (no {pattern})")
    return match[1].strip()


_READERS: dict[str, Callable[[Path], Iterator[Range]]] = {
    "ext2": _extfs,
    "ext3": _extfs,
    "ext4": _extfs,
    "xfs": _xfs,
    "vfat": _partclone("fat"),
    "exfat": _partclone("exfat"),
    "ntfs": _partclone("ntfs"),
}
