"""The names of FAT: eight and three characters, and before them the parts of a long one."""

from __future__ import annotations

_LAST = 0x40
_LOWER_STEM = 0x08
_LOWER_EXTENSION = 0x10


class LongName:
    """Collects the parts of a long name, which stand before the entry that they name, the last one first."""

    def __init__(self) -> None:
        self._text = b""
        self._next = 0
        self._checksum = 0

    def add(self, entry: bytes) -> None:
        """Take one part; one that does not follow makes the name void."""
        order = entry[0] & ~_LAST
        if entry[0] & _LAST and 1 <= order <= 20:
            self._text, self._next, self._checksum = b"", order, entry[13]
        if not self._next or order != self._next or entry[13] != self._checksum:
            self._next = 0
            self._text = b""
            return
        self._text = entry[1:11] + entry[14:26] + entry[28:32] + self._text
        self._next -= 1

    def of(self, entry: bytes) -> bytes:
        """The long name of the entry; empty when it has none."""
        if self._next or not self._text or self._checksum != _checksum(entry[:11]):
            return b""
        text = self._text.decode("utf-16-le", errors="replace")
        return text.partition("\0")[0].encode()


def short_name(entry: bytes) -> bytes:
    """The name in the entry itself, in UTF-8."""
    raw = b"\xe5" + entry[1:11] if entry[0] == 0x05 else entry[:11]
    stem, extension = (part.decode("cp850").rstrip(" ") for part in (raw[:8], raw[8:]))
    stem = stem.lower() if entry[12] & _LOWER_STEM else stem
    extension = extension.lower() if entry[12] & _LOWER_EXTENSION else extension
    return ".".join(filter(None, (stem, extension))).encode()


def _checksum(short: bytes) -> int:
    total = 0
    for byte in short:
        total = ((total >> 1) + (total << 7) + byte) & 0xFF
    return total
