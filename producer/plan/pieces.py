"""Cuts a file into pieces.  Every cut is a multiple of the block size."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from producer.plan.threshold import share_bytes
from producer.plan.unplaced import UnplacedSegments


def equal_pieces(start_bytes: int, stop_bytes: int, cap_bytes: int, block_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size of the fewest pieces of at most ``cap_bytes`` that cover the range.

    All have the same size, rounded up to blocks, except for a shorter last one.  ``start_bytes`` and ``cap_bytes`` are
    multiples of ``block_bytes``.
    """
    size_bytes = stop_bytes - start_bytes
    pieces_count = -(-size_bytes // cap_bytes)
    piece_bytes = -(-size_bytes // (pieces_count * block_bytes)) * block_bytes
    for offset_bytes in range(start_bytes, stop_bytes, piece_bytes):
        yield offset_bytes, min(piece_bytes, stop_bytes - offset_bytes)


def cut_in_shares(size_bytes: int, *, share_bytes: int, cap_bytes: int, block_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size of the pieces of a file: shares of about the threshold, each in equal pieces up to the cap.

    Shares come first so that the pieces of one device add up to one threshold: 5.4 GB on two devices become two equal
    halves, not five pieces at the cap and a small rest.
    """
    for start_bytes in range(0, size_bytes, share_bytes):
        stop_bytes = min(start_bytes + share_bytes, size_bytes)
        yield from equal_pieces(start_bytes, stop_bytes, cap_bytes, block_bytes)


def add_pieces(
    segments: UnplacedSegments,
    sizes: array[int],
    *,
    above_bytes: int,
    up_to_bytes: int | None,
    threshold_bytes: int,
    cap_bytes: int,
    block_bytes: int,
) -> None:
    """Append the pieces of every file of ``above_bytes < size <= up_to_bytes`` (None: any size), in walk order."""
    shared_bytes = share_bytes(threshold_bytes, block_bytes)
    whole_bytes = min(threshold_bytes, cap_bytes)
    for entry, size_bytes in enumerate(sizes):
        if size_bytes <= above_bytes or (up_to_bytes is not None and size_bytes > up_to_bytes):
            continue
        if size_bytes <= whole_bytes:
            segments.append(entry, entry + 1, 0, size_bytes, 1)
            continue
        for offset_bytes, piece_bytes in cut_in_shares(
            size_bytes,
            share_bytes=shared_bytes if size_bytes > threshold_bytes else size_bytes,
            cap_bytes=cap_bytes,
            block_bytes=block_bytes,
        ):
            segments.append(entry, entry + 1, offset_bytes, piece_bytes, 1)
