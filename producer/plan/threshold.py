"""The threshold: the sum of the sizes of all files, divided by the number of available devices."""

from __future__ import annotations


def threshold_bytes(total_bytes: int, devices_count: int, block_bytes: int) -> int:
    """The threshold as a whole number of blocks, rounded up, at least one block.

    Rounded up, because all cuts lie on blocks: rounded down, ``devices_count`` shares would not hold
    the whole of one file, and a crumb would be left over.
    """
    return max(1, -(-total_bytes // (devices_count * block_bytes))) * block_bytes
