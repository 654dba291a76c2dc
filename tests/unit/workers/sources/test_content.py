"""Digests of extents, whatever the steps in which their bytes come."""

from __future__ import annotations

import random

import pytest

from tasks.digests import CELL_BYTES, NO_DIGEST, cells_of, content_digest, range_digest
from tasks.values import Extent, Extents
from workers.sources.content import ContentDigests

#: (offset, size): a small file, one of several cells, a piece that begins and ends within cells, and a small one again.
ROWS = [(0, 1000), (0, 2 * CELL_BYTES + 3), (CELL_BYTES - 10, CELL_BYTES + 30), (0, 7)]
EXTENTS = Extents.of(
    [Extent(path=str(n), offset_bytes=offset, size_bytes=size) for n, (offset, size) in enumerate(ROWS)]
)
CONTENT = [random.Random(n).randbytes(size) for n, (_, size) in enumerate(ROWS)]


def cells(index: int, data: bytes) -> bytes:
    offset_bytes = ROWS[index][0]
    ranges = cells_of(offset_bytes, len(data))
    return b"".join(content_digest(data[at - offset_bytes : at - offset_bytes + size]) for at, size in ranges)


@pytest.mark.parametrize("step_bytes", [999, 1_000_003, CELL_BYTES, 10 * CELL_BYTES])
def test_each_extent_and_each_cell_of_large_ones_has_its_digest_whatever_the_steps(step_bytes: int) -> None:
    digests = ContentDigests(EXTENTS)
    for data in CONTENT:
        for start in range(0, len(data), step_bytes):
            digests.add(memoryview(data)[start : start + step_bytes])
        digests.end_extent()
    own = [cells(index, data) for index, data in enumerate(CONTENT)]
    assert digests.extents == b"".join(map(range_digest, own))
    assert digests.cells == own[1] + own[2]


def test_a_small_file_in_one_step_has_the_same_digest() -> None:
    digests = ContentDigests(EXTENTS)
    digests.add_whole(memoryview(CONTENT[0]))
    assert digests.extents == content_digest(CONTENT[0])


def test_an_extent_that_was_not_read_to_its_end_has_the_digest_of_what_was_read() -> None:
    digests = ContentDigests(EXTENTS)
    digests.end_extent()
    digests.add(memoryview(CONTENT[1])[: CELL_BYTES + 1])
    digests.end_extent()
    read = cells(1, CONTENT[1][: CELL_BYTES + 1])
    assert digests.extents == NO_DIGEST + range_digest(read)
    assert digests.cells == read + NO_DIGEST
