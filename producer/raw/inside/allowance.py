"""How much may be taken out of one image: no more than its bytes can hold, whatever its file system claims."""

from __future__ import annotations

from producer.raw.inside.image_bytes import DamagedError

#: The least that an entry of a directory takes besides its name, in any of the file systems.
_ENTRY_BYTES = 7
#: Where files may share blocks, they are more than the image has; more often than this no block is counted.
_MOST_SHARED = 16


class Allowance:
    """What is left of the bytes that the files of an image can have together; a file of two names counts once."""

    def __init__(self, image_bytes: int, *, shares_blocks: bool) -> None:
        self._left_bytes = image_bytes * (_MOST_SHARED if shares_blocks else 1)
        self._why = (
            f"the files are more than {_MOST_SHARED} times what the image has; to get all of them, mount it"
            if shares_blocks
            else "the files claim more bytes than the image has"
        )

    def take_entry(self, name: bytes) -> None:
        """Raises DamagedError when the image cannot have another entry of this name."""
        self.take(_ENTRY_BYTES + len(name))

    def take(self, size_bytes: int) -> None:
        """Raises DamagedError when the image cannot have another ``size_bytes`` of content."""
        if size_bytes > self._left_bytes:
            raise DamagedError(self._why)
        self._left_bytes -= size_bytes
