from hypothesis import given
from hypothesis import strategies as st

from workers.restore.slices import Slice, left_to_do, slices_by_unit

UNIT_OFFSETS = [0, 100, 200]
LOCATED_BYTES = 250


def cut(extents: list[tuple[int, int]]) -> dict[int, list[Slice]]:
    offsets, sizes = [offset for offset, _ in extents], [size for _, size in extents]
    return slices_by_unit(range(len(extents)), offsets, sizes, UNIT_OFFSETS, LOCATED_BYTES)


def test_only_units_that_hold_something_are_named() -> None:
    assert cut([(210, 10)]) == {2: [Slice(0, 10, 20, 0)]}


def test_an_extent_across_units_is_cut_where_they_meet() -> None:
    assert cut([(90, 120)]) == {
        0: [Slice(0, 90, 100, 0)],
        1: [Slice(0, 0, 100, 10)],
        2: [Slice(0, 0, 10, 110)],
    }


def test_extents_in_any_order_come_in_stream_order() -> None:
    assert cut([(100, 5), (95, 10), (0, 100)]) == {
        0: [Slice(2, 0, 100, 0), Slice(1, 95, 100, 0)],
        1: [Slice(1, 0, 5, 5), Slice(0, 0, 5, 0)],
    }


def test_what_lies_beyond_the_located_units_belongs_to_one_more() -> None:
    assert cut([(240, 20), (1000, 5)]) == {
        2: [Slice(0, 40, 50, 0)],
        3: [Slice(0, 0, 10, 10), Slice(1, 750, 755, 0)],
    }


def test_an_empty_extent_has_no_slice() -> None:
    assert cut([(50, 0)]) == {}


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40), st.integers(1, 20)), max_size=8),
)
def test_what_is_done_is_left_out_and_nothing_else(
    sizes: list[int], unit_bytes: int, ranges: list[tuple[int, int, int]]
) -> None:
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    needed = slices_by_unit(range(len(sizes)), starts, sizes, range(0, sum(sizes), unit_bytes), sum(sizes))
    done: dict[int, list[tuple[int, int]]] = {}
    for index, start, length in sorted(ranges):
        before = done.get(index, [(0, 0)])[-1][1]
        if index < len(sizes) and before <= start < sizes[index]:
            done.setdefault(index, []).append((start, min(start + length, sizes[index])))
    left = left_to_do(needed, done)

    def covered(parts: dict[int, list[Slice]]) -> set[tuple[int, int, int, int]]:
        return {
            (unit, part.start + shift, part.extent, part.extent_start + shift)
            for unit, slices in parts.items()
            for part in slices
            for shift in range(part.stop - part.start)
        }

    is_done = {(index, at) for index, found in done.items() for start, stop in found for at in range(start, stop)}
    assert covered(left) == {row for row in covered(needed) if (row[2], row[3]) not in is_done}
    assert all(left.values())
