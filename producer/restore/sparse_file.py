"""A new file that takes no space for long stretches of zeros."""

from __future__ import annotations

from typing import BinaryIO

#: A file system's block size, or a multiple of it.
_BLOCK_BYTES = 64 * 1024
_ZEROS = bytes(_BLOCK_BYTES)


class SparseFile:
    """Writes to a new ``file``, one block after the other; blocks of zeros become holes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: bytes, /) -> int:
        view = memoryview(data)
        for start in range(0, len(view), _BLOCK_BYTES):
            block = view[start : start + _BLOCK_BYTES]
            if block == _ZEROS[: len(block)]:
                self._file.seek(len(block), 1)
            else:
                self._file.write(block)
        return len(view)

    def flush(self) -> None:
        """Sets the file's size, for a hole at its end."""
        self._file.truncate(self._file.tell())
        self._file.flush()
