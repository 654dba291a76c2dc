"""Of several objects of one segment those count that hold the same."""

from __future__ import annotations

from producer.rebuild.unindexed import choose
from tasks.orders.cleaning import ObjectContent


def content(number: int, digest: str, ranges: tuple[tuple[int, int], ...] = ((0, 10),)) -> ObjectContent:
    return ObjectContent(
        object_id=f"{number:032x}",
        segment_id="5" * 32,
        snapshot_id="a" * 32,
        ranges=ranges,
        bytes_stored=7,
        trailer_digest="f" * 64,
        content_digest=digest * 64,
    )


def test_copies_count_all() -> None:
    objects = [("a", content(1, "d")), ("b", content(1, "d"))]

    assert choose(objects) == (objects, False)


def test_of_tries_that_differ_what_most_devices_have_counts_and_the_segment_is_named() -> None:
    objects = [("a", content(1, "d")), ("b", content(2, "e")), ("c", content(2, "e"))]

    assert choose(objects) == (objects[1:], True)


def test_parts_of_a_segment_count_beside_each_other() -> None:
    objects = [("a", content(1, "d", ((0, 4),))), ("b", content(2, "e", ((4, 6),)))]

    assert choose(objects) == (objects, False)
