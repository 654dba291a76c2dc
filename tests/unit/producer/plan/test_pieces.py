"""How a file is cut that is compared with what earlier segments hold: between its extents."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.plan.pieces import whole_extents


@pytest.mark.parametrize(
    ("extents_bytes", "pieces"),
    [
        ([4, 4, 3], [(0, 8), (8, 3)]),
        ([4, 4, 4, 3], [(0, 8), (8, 7)]),
        ([1, 10, 10, 1], [(0, 1), (1, 10), (11, 10), (21, 1)]),
        ([1, 20, 1], [(0, 1), (1, 10), (11, 10), (21, 1)]),
    ],
)
def test_as_many_whole_extents_as_fit_make_a_piece_and_only_larger_ones_are_cut(
    extents_bytes: list[int], pieces: list[tuple[int, int]]
) -> None:
    assert list(whole_extents(extents_bytes, cap_bytes=10, grid_bytes=1)) == pieces


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(1, 20))
def test_pieces_cover_the_file_and_end_where_extents_end_if_these_fit(extents_bytes: list[int], cap_bytes: int) -> None:
    pieces = list(whole_extents(extents_bytes, cap_bytes=cap_bytes, grid_bytes=1))
    assert [0, *accumulate(size for _, size in pieces)] == [*(start for start, _ in pieces), sum(extents_bytes)]
    assert all(0 < size <= cap_bytes for _, size in pieces)
    if max(extents_bytes) <= cap_bytes:
        assert {start for start, _ in pieces} <= {0, *accumulate(extents_bytes)}
