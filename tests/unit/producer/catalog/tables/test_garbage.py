"""What nothing needs leaves the catalog, in both databases."""

from __future__ import annotations

from uuid import uuid4

import pytest

from kit.models.rows import begin
from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import SnapshotPlan

DEVICE = "d" * 32


def ended(catalog: Catalog, *segment_ids: str) -> str:
    """A sealed snapshot that has stored these segments, an object each."""
    snapshot_id = begin(catalog, "data")
    figures = {name: 0 for name in SnapshotPlan.__struct_fields__ if name != "owner_names"}
    catalog.snapshots.set_plan(snapshot_id, SnapshotPlan(**figures))  # type: ignore[arg-type]
    for number, segment_id in enumerate(segment_ids):
        catalog.segments.add(
            snapshot_id,
            [
                NewSegment(
                    number=number,
                    segment_id=segment_id,
                    device="a",
                    first_entry=number,
                    stop_entry=number + 1,
                    offset_bytes=0,
                    size_bytes=9,
                )
            ],
        )
        catalog.objects.add(stored(segment_id, snapshot_id))
    return snapshot_id


def stored(segment_id: str, snapshot_id: str) -> StoredObject:
    return StoredObject(
        object_id=segment_id[::-1],
        segment_id=segment_id,
        device_id=DEVICE,
        device="a",
        snapshot_id=snapshot_id,
        size_bytes=9,
        bytes_stored=7,
        trailer_digest=b"t" * 32,
    )


@pytest.fixture
def segment_ids() -> list[str]:
    return [uuid4().hex for _ in range(3)]


def test_what_is_not_needed_is_doomed_and_what_is_open_stays(catalog: Catalog, segment_ids: list[str]) -> None:
    needed, unneeded, opened = segment_ids
    snapshot_id, other = ended(catalog, needed, unneeded), ended(catalog, opened)
    catalog.marks.forget([snapshot_id])

    catalog.garbage.doom({needed})

    assert [row.object_id for row in catalog.doomed.on(DEVICE)] == [unneeded[::-1]]
    assert catalog.objects.of(segment_ids).keys() == {needed, opened}
    assert catalog.garbage.known_on(DEVICE) == {segment_id[::-1] for segment_id in segment_ids}
    assert catalog.garbage.indexed_by(snapshot_id) == {needed}
    assert [row.segment_id for row in catalog.segments.valid(snapshot_id)] == [needed]
    assert not catalog.remains.is_empty(snapshot_id)
    assert catalog.snapshots.states() == {snapshot_id: "forgotten", other: "open"}


def test_parts_that_nothing_needs_are_dropped(catalog: Catalog) -> None:
    snapshot_id = ended(catalog)
    catalog.trees.add_parts({b"a" * 32: b"12345", b"b" * 32: b"123"})
    catalog.trees.record_pack(snapshot_id, [b"a" * 32, b"b" * 32])
    assert catalog.lending.part_bytes(snapshot_id) == 8

    catalog.garbage.drop_parts({b"a" * 32})

    assert catalog.trees.packed(snapshot_id) == {b"a" * 32}
    assert catalog.trees.without([b"a" * 32, b"b" * 32]) == {b"b" * 32}
    assert catalog.lending.part_bytes(snapshot_id) == 5


def test_what_forgotten_snapshots_lend_is_handed_on(catalog: Catalog, segment_ids: list[str]) -> None:
    one, two, heir = ended(catalog, *segment_ids[:2]), ended(catalog, segment_ids[2]), ended(catalog)
    for snapshot_id in (one, two):
        catalog.trees.record_pack(snapshot_id, [b"a" * 32, snapshot_id.encode()])
    catalog.marks.forget([one, two, heir])

    catalog.lending.hand_on([one, two], heir)

    assert catalog.remains.is_empty(one) and catalog.remains.is_empty(two)
    assert catalog.trees.packed(heir) == {b"a" * 32, one.encode(), two.encode()}
    assert catalog.garbage.indexed_by(heir) == set(segment_ids)
    assert {row.segment_id for row in catalog.segments.valid(heir)} == set(segment_ids)
    for snapshot_id in (one, two):
        catalog.remains.strip(snapshot_id)
        catalog.remains.drop(snapshot_id)
    assert catalog.snapshots.states() == {heir: "forgotten"}
