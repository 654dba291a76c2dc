"""Where a file has data: counted, cut, bounded and checked."""

import pytest

from producer.listing.data_ranges import are_sound, data_before, data_bytes, part_of, without_smallest_holes

#: 4 bytes, a hole of 6, 5 bytes, a hole of 1, 4 bytes.
RANGES = [(0, 4), (10, 5), (16, 4)]


def test_the_data_of_a_file_is_counted_as_if_there_were_no_holes() -> None:
    assert data_bytes(RANGES) == 13
    assert [data_before(RANGES, offset) for offset in (0, 3, 4, 7, 10, 12, 15, 16, 20, 99)] == [
        *(0, 3, 4, 4, 4, 6, 9, 9, 13, 13)
    ]


@pytest.mark.parametrize(
    ("start", "stop", "parts"),
    [
        (0, 13, RANGES),
        (2, 4, [(2, 2)]),
        (2, 6, [(2, 2), (10, 2)]),
        (4, 9, [(10, 5)]),
        (12, 13, [(19, 1)]),
        (13, 20, []),
    ],
)
def test_a_part_of_the_data_lies_in_one_or_more_places_of_the_file(
    start: int, stop: int, parts: list[tuple[int, int]]
) -> None:
    assert list(part_of(RANGES, start, stop)) == parts


def test_of_too_many_ranges_the_smallest_holes_become_data() -> None:
    assert without_smallest_holes(RANGES, 3) == RANGES
    assert without_smallest_holes(RANGES, 2) == [(0, 4), (10, 10)]
    assert without_smallest_holes(RANGES, 1) == [(0, 20)]
    assert without_smallest_holes([], 1) == []


@pytest.mark.parametrize(
    ("ranges", "is_sound"),
    [
        ([], True),
        (RANGES, True),
        ([(0, 20)], True),
        ([(0, 21)], False),
        ([(0, 0)], False),
        ([(0, 4), (4, 2)], False),
        ([(10, 5), (0, 4)], False),
        ([(5, -5)], False),
    ],
)
def test_ranges_ascend_and_lie_apart_in_their_file(ranges: list[tuple[int, int]], is_sound: bool) -> None:
    assert are_sound(ranges, 20) is is_sound
