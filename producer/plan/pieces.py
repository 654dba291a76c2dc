"""Cuts a file into pieces: at cells (:mod:`tasks.digests`) or, in a small backup, at blocks."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence

from producer.plan.threshold import share_bytes
from producer.plan.unplaced import UnplacedSegments
from tasks.digests import CELL_BYTES

#: With shares of fewer cells the devices would end too far from each other.
_MIN_SHARE_CELLS = 16


def grid_bytes(threshold_bytes: int, cap_bytes: int, block_bytes: int) -> int:
    """What all cuts are multiples of.

    Of cells where that hardly matters for the balance: then no cell lies in two pieces, and each can be compared.
    """
    has_cells = threshold_bytes >= _MIN_SHARE_CELLS * CELL_BYTES and cap_bytes >= CELL_BYTES
    return CELL_BYTES if has_cells and CELL_BYTES % block_bytes == 0 else block_bytes


def equal_pieces(start_bytes: int, stop_bytes: int, cap_bytes: int, grid_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size of the fewest pieces of at most ``cap_bytes`` that cover the range.

    All have the same size, rounded up to the grid, except for a shorter last one.  ``start_bytes`` and ``cap_bytes``
    are multiples of ``grid_bytes``.
    """
    size_bytes = stop_bytes - start_bytes
    pieces_count = -(-size_bytes // cap_bytes)
    piece_bytes = -(-size_bytes // (pieces_count * grid_bytes)) * grid_bytes
    for offset_bytes in range(start_bytes, stop_bytes, piece_bytes):
        yield offset_bytes, min(piece_bytes, stop_bytes - offset_bytes)


def cut_in_shares(size_bytes: int, *, share_bytes: int, cap_bytes: int, grid_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size of the pieces of a file: shares of about the threshold, each in equal pieces up to the cap.

    Shares come first so that the pieces of one device add up to one threshold: 5.4 GB on two devices become two equal
    halves, not five pieces at the cap and a small rest.  What is left over, because shares are rounded down
    to cells, is cut smaller, so that all devices take a part of it.
    """
    whole_bytes = size_bytes // share_bytes * share_bytes
    for start_bytes in range(0, whole_bytes, share_bytes):
        yield from equal_pieces(start_bytes, start_bytes + share_bytes, cap_bytes, grid_bytes)
    if whole_bytes < size_bytes:
        if whole_bytes and grid_bytes == CELL_BYTES:
            cap_bytes = min(cap_bytes, share_bytes // _MIN_SHARE_CELLS // CELL_BYTES * CELL_BYTES)
        yield from equal_pieces(whole_bytes, size_bytes, cap_bytes, grid_bytes)


def whole_extents(extents_bytes: Sequence[int], *, cap_bytes: int, grid_bytes: int) -> Iterator[tuple[int, int]]:
    """Offset and size of pieces of at most ``cap_bytes``, of whole extents, as many as fit; larger ones are cut."""
    start_bytes = stop_bytes = 0
    for extent_bytes in extents_bytes:
        if start_bytes < stop_bytes and stop_bytes + extent_bytes - start_bytes > cap_bytes:
            yield start_bytes, stop_bytes - start_bytes
            start_bytes = stop_bytes
        stop_bytes += extent_bytes
        if extent_bytes > cap_bytes:
            for offset_bytes, piece_bytes in equal_pieces(0, extent_bytes, cap_bytes, grid_bytes):
                yield start_bytes + offset_bytes, piece_bytes
            start_bytes = stop_bytes
    if start_bytes < stop_bytes:
        yield start_bytes, stop_bytes - start_bytes


def add_pieces(
    segments: UnplacedSegments,
    sizes: array[int],
    extents_bytes: Mapping[int, Sequence[int]],
    *,
    above_bytes: int,
    up_to_bytes: int | None,
    threshold_bytes: int,
    cap_bytes: int,
    grid_bytes: int,
    extent_bytes: int,
) -> None:
    """Append the pieces of every file of ``above_bytes < size <= up_to_bytes`` (None: any size), in walk order.

    ``extents_bytes``: by entry, the sizes of extents that each stay in one piece, if they can, and always up to
    ``extent_bytes``.  Files that have them are cut here even if they are larger than ``up_to_bytes``.
    """
    shared_bytes = share_bytes(threshold_bytes, grid_bytes)
    whole_bytes = min(threshold_bytes, cap_bytes)
    for entry, size_bytes in enumerate(sizes):
        if size_bytes <= above_bytes:
            continue
        if size_bytes <= whole_bytes:
            segments.append(entry, entry + 1, 0, size_bytes, 1)
            continue
        if entry in extents_bytes:
            cap = max(extent_bytes, whole_bytes // grid_bytes * grid_bytes)
            for offset_bytes, piece_bytes in whole_extents(extents_bytes[entry], cap_bytes=cap, grid_bytes=grid_bytes):
                segments.append(entry, entry + 1, offset_bytes, piece_bytes, 1)
            continue
        if up_to_bytes is not None and size_bytes > up_to_bytes:
            continue
        for offset_bytes, piece_bytes in cut_in_shares(
            size_bytes,
            share_bytes=shared_bytes if size_bytes > threshold_bytes else size_bytes,
            cap_bytes=cap_bytes // grid_bytes * grid_bytes,
            grid_bytes=grid_bytes,
        ):
            segments.append(entry, entry + 1, offset_bytes, piece_bytes, 1)
