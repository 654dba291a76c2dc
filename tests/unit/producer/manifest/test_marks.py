"""Tags and pins as devices keep them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from producer.catalog.tables.snapshots.marks import MarkedRow
from producer.manifest.marks import SnapshotMarks, decode_marks, encode_marks, marks_name
from producer.manifest.tombstones import encode_tombstone
from producer.pool.manifests.marks import marks_for, newest_marks
from tasks.orders import MANIFEST_NAME

ONE, TWO = "1" * 32, "2" * 32
NOON = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


def marks(snapshot_id: str = ONE, *, tag: str = "release", minutes: int = 0) -> SnapshotMarks:
    changed = NOON + timedelta(minutes=minutes)
    return SnapshotMarks(snapshot_id=snapshot_id, tags=(tag,), pinned=True, changed=changed)


@pytest.mark.parametrize("tag", ["release", "", "two\nlines", "\udce9", "日本"])
def test_marks_come_back_as_they_were(tag: str) -> None:
    assert decode_marks(encode_marks(marks(tag=tag))) == marks(tag=tag)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"{}", encode_marks(marks()).replace(b'"pinned": true', b'"pinned": 1'), b"\xff"]
)
def test_what_is_damaged_is_as_if_it_were_not_there(data: bytes) -> None:
    assert decode_marks(data) is None


def test_the_latest_change_of_each_snapshot_counts() -> None:
    found = newest_marks([marks(minutes=1, tag="new"), marks(tag="old"), marks(TWO)])
    assert {snapshot_id: one.tags for snapshot_id, one in found.items()} == {ONE: ("new",), TWO: ("release",)}


def test_a_device_gets_the_file_that_it_lacks_and_a_tombstone_for_what_is_forgotten() -> None:
    rows = [
        MarkedRow(snapshot_id=ONE, state="sealed", tags=("release",), pinned=True, marked_at=NOON, marks_on=("b",)),
        MarkedRow(snapshot_id=TWO, state="forgotten", tags=(), pinned=False, marked_at=NOON, marks_on=()),
    ]
    tombstone = {f"{TWO}.forgotten": encode_tombstone(TWO, "c" * 32)}
    assert marks_for(rows, "a", "c" * 32) == {f"{ONE}.marks": encode_marks(marks()), **tombstone}
    assert marks_for(rows, "b", "c" * 32) == tombstone


def test_the_file_has_a_name_beside_the_manifest() -> None:
    assert MANIFEST_NAME.fullmatch(marks_name(ONE))
