"""A new file that takes no room for long runs of zeros."""

from __future__ import annotations

from typing import BinaryIO

#: Of a file system's blocks, or a multiple of them.
_BLOCK_BYTES = 64 * 1024
_ZEROS = bytes(_BLOCK_BYTES)


class SparseFile:
    """Writes to ``file``, which is new, one block after the other; blocks of zeros become holes."""

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
        """Gives the file its size, which a hole at its end does not."""
        self._file.truncate(self._file.tell())
        self._file.flush()
