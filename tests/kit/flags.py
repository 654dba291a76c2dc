"""File flags by the letters of chattr(1)."""

from __future__ import annotations

import array
import fcntl
import os
import subprocess
from pathlib import Path

from kit.needs import program

_GET, _SET = 0x80086601, 0x40086602
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_LETTERS = {"i": 0x10, "a": 0x20, "d": 0x40, "A": 0x80}


def flags_at(place: bytes | Path) -> str:
    """Those of a file or folder that may be read; empty where the file system has none."""
    try:
        descriptor = os.open(place, _OPEN)
    except PermissionError:
        return ""
    try:
        bits = array.array("i", [0, 0])
        fcntl.ioctl(descriptor, _GET, bits)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return "".join(letter for letter, bit in _LETTERS.items() if bits[0] & bit)


def set_flags(place: bytes | Path, letters: str) -> None:
    """Add these to the flags of a file or folder."""
    descriptor = os.open(place, _OPEN)
    try:
        bits = array.array("i", [0, 0])
        fcntl.ioctl(descriptor, _GET, bits)
        bits[0] |= sum(_LETTERS[letter] for letter in letters)
        fcntl.ioctl(descriptor, _SET, bits)
    finally:
        os.close(descriptor)


def clear_flags(*roots: Path) -> None:
    """Take what keeps anything below from being removed."""
    subprocess.run([program("chattr"), "-R", "-f", "-i", "-a", *filter(Path.exists, roots)], check=False)
