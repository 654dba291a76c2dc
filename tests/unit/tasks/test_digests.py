"""The digest of a range is that of its content, or of the digests of its cells; and what is carried of it is whole."""

from __future__ import annotations

import random

import pytest
from blake3 import blake3

from tasks.digests import (
    CELL_BYTES,
    MAX_CELLS,
    NO_DIGEST,
    cells_count,
    cells_of,
    check_whole,
    content_digest,
    listed_cells_count,
    range_digest,
    split_digests,
)
from tasks.values import MAX_SEGMENT_BYTES, Extent, Extents


def test_the_digest_of_one_cell_is_the_first_half_of_its_blake3() -> None:
    assert content_digest(b"abc") == blake3(b"abc").digest()[:16]
    assert range_digest(content_digest(b"abc")) == content_digest(b"abc")


def test_the_digest_of_several_cells_is_that_of_their_digests() -> None:
    cells = content_digest(b"first") + content_digest(b"second")
    assert range_digest(cells) == blake3(cells).digest()[:16]


def test_of_nothing_there_is_no_digest() -> None:
    assert range_digest(b"") == NO_DIGEST


@pytest.mark.parametrize(
    ("offset_bytes", "size_bytes", "sizes"),
    [
        (0, 0, []),
        (0, 1, [1]),
        (0, CELL_BYTES, [CELL_BYTES]),
        (0, CELL_BYTES + 1, [CELL_BYTES, 1]),
        (CELL_BYTES - 1, 2, [1, 1]),
        (3 * CELL_BYTES - 5, CELL_BYTES + 5, [5, CELL_BYTES]),
        (CELL_BYTES + 7, 9, [9]),
    ],
)
def test_ranges_are_cut_at_the_cells_of_the_file(offset_bytes: int, size_bytes: int, sizes: list[int]) -> None:
    cells = list(cells_of(offset_bytes, size_bytes))
    assert [size for _, size in cells] == sizes
    assert cells_count(offset_bytes, size_bytes) == len(sizes)
    assert all(offset % CELL_BYTES == 0 for offset, _ in cells[1:])


def test_only_the_cells_of_extents_with_several_are_listed() -> None:
    rows = [(0, 5), (0, 2 * CELL_BYTES + 1), (CELL_BYTES, CELL_BYTES), (CELL_BYTES - 1, 2)]
    extents = Extents.of([Extent(path="p", offset_bytes=offset, size_bytes=size) for offset, size in rows])
    assert listed_cells_count(extents) == 5


def test_the_largest_segment_has_no_more_cells_than_a_receipt_has_room_for() -> None:
    assert cells_count(CELL_BYTES - 1, MAX_SEGMENT_BYTES) <= MAX_CELLS


def test_a_column_comes_apart_into_its_digests() -> None:
    digests = [random.Random(seed).randbytes(16) for seed in range(3)]
    assert list(split_digests(b"".join(digests))) == digests


def test_a_part_of_a_digest_is_refused() -> None:
    check_whole((b"", bytes(32)))
    with pytest.raises(ValueError, match="multiple of 16"):
        check_whole((bytes(16), bytes(17)))
