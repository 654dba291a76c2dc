"""The threshold: the sum of the sizes of all files, divided by the number of available devices."""

from __future__ import annotations


def threshold_bytes(total_bytes: int, devices_count: int) -> int:
    """The threshold in bytes, rounded up, at least one byte."""
    return max(1, -(-total_bytes // devices_count))


def share_bytes(threshold: int, block_bytes: int) -> int:
    """The largest cut at whole blocks that does not exceed the threshold; at least one block.

    Rounded down, so that no segment is above the threshold: the rest of a file is less than a block for each device.
    """
    return max(1, threshold // block_bytes) * block_bytes
