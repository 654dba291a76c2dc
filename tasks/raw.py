"""Raw volumes: what producer and workers must agree on.

Backups of a raw volume are compared cell by cell: the digest of each cell's source bytes is kept, and a cell whose
digest has not changed is not stored again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from blake3 import blake3
from msgspec import Meta

from tasks.values import Counts

#: Cells begin at multiples of this in the raw volume; the last one ends where the raw volume ends.  A sixth of the
#: usual unit: a changed byte costs 4 MiB, and the digests of 1 TiB take 8 MiB.
CELL_BYTES = 4 * 1024 * 1024

DIGEST_BYTES = 32

#: This much from the start holds the ids of file systems, partition tables, and RAID or LVM members (btrfs: at 64 KiB).
MARK_BYTES = 128 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class RawReading:
    """How a piece of a raw volume is read: the ranges that no file uses count as zeros, whatever is there.

    Offsets are those in the raw volume, ascending.
    """

    unused_offsets_bytes: Counts = ()
    unused_sizes_bytes: Counts = ()
    #: The manager's :func:`raw_volume_mark`; "" where it is not compared.
    mark: Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")] = ""

    def __post_init__(self) -> None:
        if len(self.unused_offsets_bytes) != len(self.unused_sizes_bytes):
            raise ValueError("the columns of unused ranges differ in length")


def cell_digest(data: bytes | memoryview) -> bytes:
    """The digest of one cell's bytes.  Releases the GIL."""
    return blake3(data).digest()


def raw_volume_mark(size_bytes: int, head: bytes | memoryview) -> str:
    """What tells a raw volume from another: made of its size and its first MARK_BYTES, or fewer if it is that small."""
    return blake3(size_bytes.to_bytes(8, "little")).update(head).hexdigest()


def zeros_digest(size_bytes: int) -> bytes:
    """The digest of a cell of ``size_bytes`` zeros."""
    return _WHOLE_CELL_OF_ZEROS if size_bytes == CELL_BYTES else cell_digest(bytes(size_bytes))


_WHOLE_CELL_OF_ZEROS = cell_digest(bytes(CELL_BYTES))
