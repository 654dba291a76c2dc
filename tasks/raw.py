"""Raw volumes: what producer and workers must agree on."""

from __future__ import annotations

from typing import Annotated

from blake3 import blake3
from msgspec import Meta, Struct

from tasks.values import Counts

#: This much from the start holds the ids of file systems, partition tables, and RAID or LVM members (btrfs: at 64 KiB).
MARK_BYTES = 128 * 1024


class RawReading(Struct, frozen=True, kw_only=True):
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


def raw_volume_mark(size_bytes: int, head: bytes | memoryview) -> str:
    """What tells a raw volume from another: made of its size and its first MARK_BYTES, or fewer if it is that small."""
    return blake3(size_bytes.to_bytes(8, "little")).update(head).hexdigest()
