"""What a stored segment is read again as, to be copied on another host."""

from __future__ import annotations

from producer.listing.extents import SegmentContents
from producer.listing.places.places import Place
from producer.listing.read_again import stored_contents
from tasks.digests import CELL_BYTES
from tasks.sources.states import WalkedStates
from tasks.values import Extent, Extents

SEGMENT = "5" * 32


def contents(*extents: tuple[str, int, int]) -> SegmentContents:
    count = len(extents)
    return SegmentContents(
        source="data",
        extents=Extents.of([Extent(path=path, offset_bytes=start, size_bytes=size) for path, start, size in extents]),
        entries=list(range(count)),
        states=WalkedStates(
            mtimes_ns=list(range(count)), ctimes_ns=[0] * count, modes=[0] * count, uids=[0] * count, gids=[0] * count
        ),
        sparse=[],
        former=[],
    )


def test_each_file_of_a_bundle_is_one_extent_at_its_place_in_the_stream() -> None:
    found = stored_contents(contents(("a", 0, 10), ("b", 0, 20)), SEGMENT, unchanged=(), held=())

    assert found is not None
    assert found.former == [Place(SEGMENT, 0, 0, 10), Place(SEGMENT, 10, 0, 20)]
    assert (found.entries, found.sparse, list(found.extents.paths)) == ([0, 1], [], ["a", "b"])


def test_a_piece_is_cut_at_the_cells_of_its_file() -> None:
    start = CELL_BYTES - 5

    found = stored_contents(contents(("a", start, 5 + CELL_BYTES + 7)), SEGMENT, unchanged=(), held=())

    assert found is not None
    assert found.former == [
        Place(SEGMENT, 0, start, 5),
        Place(SEGMENT, 5, CELL_BYTES, CELL_BYTES),
        Place(SEGMENT, 5 + CELL_BYTES, 2 * CELL_BYTES, 7),
    ]
    assert (found.entries, found.sparse, found.states.mtimes_ns) == ([0, 0, 0], [0, 1, 2], [0, 0, 0])


def test_what_was_unchanged_has_no_place_in_the_stream_and_what_is_held_is_not_read() -> None:
    three = contents(("a", 0, 10), ("b", 0, 20), ("c", 0, 30))

    found = stored_contents(three, SEGMENT, unchanged=[(0, 1)], held=[(0, 20)])

    assert found is not None
    assert (found.former, found.entries) == ([Place(SEGMENT, 20, 0, 30)], [2])
    assert stored_contents(three, SEGMENT, unchanged=[(0, 1)], held=[(0, 50)]) is None
