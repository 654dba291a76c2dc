"""The index: objects of segments on devices, and which of them a reader takes what from."""

from __future__ import annotations

from typing import Any

import pytest

from kit.models.objects import stored_object
from kit.models.rows import store
from producer.catalog.catalog import Catalog
from producer.catalog.holders import Held, holders_of, lacking, ranges_of
from producer.listing.places.stored_ranges import without

A, B, C = ("a" * 32, "b" * 32, "c" * 32)


def test_a_recorded_receipt_makes_a_line_of_the_index(catalog: Catalog, planned: str) -> None:
    (row, *_others) = catalog.segments.valid(planned)
    store(catalog, planned, row.number)

    ((line,),) = catalog.objects.of([row.segment_id]).values()

    assert (line.segment_id, line.device_id, line.snapshot_id) == (row.segment_id, "a" * 32, planned)
    assert (line.ranges, line.bytes_stored, line.trailer_digest) == (((0, row.size_bytes),), 1, b"t" * 32)
    assert line.object_id != row.segment_id


def test_the_first_receipt_decides_which_object_counts(catalog: Catalog, planned: str) -> None:
    (row, *_others) = catalog.segments.valid(planned)
    fields: dict[str, Any] = {"device_id": "a" * 32, "epoch": 0, "bytes_stored": 1, "trailer_digest": b"t" * 32}
    assert catalog.transitions.record_stored(planned, row.number, device="a", object_id=B, **fields)
    assert not catalog.transitions.record_stored(planned, row.number, device="a", object_id=C, **fields)

    assert [line.object_id for line in catalog.objects.of([row.segment_id])[row.segment_id]] == [B]


def test_the_index_outlives_the_snapshot_that_stored(catalog: Catalog, planned: str) -> None:
    (row, *_others) = catalog.segments.valid(planned)
    store(catalog, planned, row.number)
    catalog.snapshots.discard(planned)

    assert row.segment_id in catalog.objects.of([row.segment_id])


def test_copies_and_parts_of_a_segment_are_lines_beside_each_other(catalog: Catalog) -> None:
    whole = stored_object(device_id=A)
    copy = stored_object(device_id=B, is_damaged=True)
    part = stored_object(object_id=C, device_id=B, size_bytes=30, parts=((10, 20), (90, 10)))
    for one in (copy, part, whole):
        catalog.objects.add(one)

    found = catalog.objects.of([whole.segment_id, "f" * 32])

    assert [one.key for one in found.pop(whole.segment_id)] == [whole.key, part.key, copy.key]
    assert found == {}
    assert [one.key for one in catalog.objects.on_device(B)] == [copy.key, part.key]
    assert catalog.objects.remove(*copy.key)
    assert not catalog.objects.remove(*copy.key)
    assert [one.ranges for one in catalog.objects.on_device(B)] == [((10, 20), (90, 10))]


def test_damage_is_remembered_until_somebody_finds_none(catalog: Catalog) -> None:
    one = stored_object()
    catalog.objects.add(one)
    for is_damaged in (True, False):
        catalog.objects.mark(*one.key, is_damaged=is_damaged)
        ((found,),) = catalog.objects.of([one.segment_id]).values()
        assert found.is_damaged is is_damaged


def test_each_byte_is_read_once_and_from_a_device_that_is_there() -> None:
    copies = [stored_object(device_id=A), stored_object(device_id=B)]

    (holder,) = holders_of(copies, {B})

    assert (holder.object.device_id, holder.ranges, holder.is_plain) == (B, ((0, 100),), True)
    assert [one.object.device_id for one in holders_of(copies, {"none"})] == [A]


def test_a_place_is_divided_among_the_objects_that_hold_parts_of_it() -> None:
    part = stored_object(object_id=B, device_id=B, size_bytes=30, parts=((10, 20), (90, 10)))
    first, second = holders_of([part, stored_object(device_id=A)], {B})

    assert second.ranges == ((0, 10), (30, 60))
    assert not first.is_plain and not second.is_plain
    # Bytes 20 to 95 of the segment: what begins where in the place, in the object's own stream, and how long it is.
    assert list(first.parts_of(20, 75)) == [Held(0, 10, 10), Held(70, 20, 5)]
    assert list(second.parts_of(20, 75)) == [Held(10, 30, 60)]


@pytest.mark.parametrize(
    ("ranges", "taken", "left"),
    [
        ([(0, 10)], [], [(0, 10)]),
        ([(0, 10)], [(0, 10)], []),
        ([(0, 10)], [(2, 3), (7, 1)], [(0, 2), (5, 2), (8, 2)]),
        ([(0, 5), (10, 5)], [(3, 9)], [(0, 3), (12, 3)]),
        ([(5, 5)], [(0, 5), (10, 5)], [(5, 5)]),
    ],
)
def test_what_is_taken_is_left_out(
    ranges: list[tuple[int, int]], taken: list[tuple[int, int]], left: list[tuple[int, int]]
) -> None:
    assert without(ranges, taken) == left


def test_a_segment_lacks_what_no_other_object_has() -> None:
    whole, copy = stored_object(device_id=A), stored_object(device_id=B)
    part = stored_object(object_id=C, device_id=B, size_bytes=30, parts=((0, 30),))
    index = {"copied": [whole, copy], "alone": [whole], "in part": [whole, part], "there": [copy]}

    assert lacking(index, lambda one: one.device_id == A) == {"alone", "in part"}
    assert lacking(index, lambda one: False) == set()
    assert ranges_of([part, whole]) == [(0, 30), (30, 70)]
