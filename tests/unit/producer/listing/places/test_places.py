"""Places are columns of a batch; most are taken over from an earlier snapshot as they are."""

from __future__ import annotations

from producer.listing.places.places import NO_PLACES, NO_SEGMENT, Place, Places, PlacesWriter

ONE, TWO, THREE = "1" * 32, "2" * 32, "3" * 32


def test_chosen_entries_take_over_where_they_lie_beside_those_that_are_stored_anew() -> None:
    known = Places(
        segment_ids=[ONE, TWO],
        segments=[1, NO_SEGMENT, 0, 1],
        stream_offsets_bytes=[10, 0, 30, 40],
        pieces={"in pieces": [(0, 5, 0, 7)]},
    )
    writer = PlacesWriter(4)
    writer.add_whole(2, THREE, 300)
    writer.take_over(known, [0, 1, 3])
    found = writer.places()
    assert [list(found.of(at, "any", 5)) for at in range(4)] == [
        [Place(TWO, 10, 0, 5)],
        [],
        [Place(THREE, 300, 0, 5)],
        [Place(TWO, 40, 0, 5)],
    ]
    # What nobody refers to is no part of it.
    assert set(found.segment_ids) == {TWO, THREE}


def test_without_places_there_is_nothing_to_take_over() -> None:
    writer = PlacesWriter(2)
    writer.take_over(NO_PLACES, [0, 1])
    assert writer.places() is NO_PLACES
