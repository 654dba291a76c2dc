"""What is decided about a snapshot after its seal: tags, pins, and that it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from producer.catalog.catalog import Catalog
from tasks.errors import CatalogError, UsageError

BeginSnapshot = Callable[..., str]

OPEN, OLD, NEW = "1" * 32, "2" * 32, "3" * 32


@pytest.fixture(autouse=True)
def history(catalog: Catalog, begin_snapshot: BeginSnapshot) -> None:
    """Two sealed snapshots of one volume, and an open one."""
    for number, snapshot_id in enumerate((OLD, NEW, OPEN), start=1):
        begin_snapshot(snapshot_id, started_at=datetime(2026, 1, number, tzinfo=UTC))
    for snapshot_id in (OLD, NEW):
        catalog.snapshots.seal(snapshot_id, datetime(2026, 1, 5, tzinfo=UTC), b"d" * 32)


def test_a_forgotten_snapshot_is_in_no_list_but_its_row_stays(catalog: Catalog) -> None:
    catalog.marks.forget([NEW])
    assert [row.snapshot_id for row in catalog.snapshots.all()] == [OLD]
    latest = catalog.snapshots.last_of("home")
    assert latest is not None
    assert latest.snapshot_id == OLD
    assert catalog.snapshots.find("latest").snapshot_id == OLD
    with pytest.raises(UsageError):
        catalog.snapshots.find(NEW)
    (forgotten,) = catalog.snapshots.all("forgotten")
    assert forgotten.snapshot_id == NEW
    assert forgotten.forgotten_at is not None
    assert forgotten.sealed_at is not None


def test_an_open_snapshot_can_be_forgotten_and_is_then_not_resumed(catalog: Catalog) -> None:
    assert [row.snapshot_id for row in catalog.snapshots.newest_of_each_volume()["home"]] == [OPEN]
    catalog.marks.forget([OPEN])
    assert catalog.snapshots.open_of("home") == []
    assert [row.snapshot_id for row in catalog.snapshots.newest_of_each_volume()["home"]] == [NEW]
    (forgotten,) = catalog.snapshots.all("forgotten")
    assert forgotten.sealed_at is None
    with pytest.raises(CatalogError):
        catalog.snapshots.seal(OPEN, datetime(2026, 1, 5, tzinfo=UTC), b"d" * 32)


def test_all_are_forgotten_or_none(catalog: Catalog) -> None:
    catalog.marks.set_pinned(NEW, True)
    for refused in (NEW, "f" * 32):
        with pytest.raises(CatalogError):
            catalog.marks.forget([OLD, refused])
    assert catalog.snapshots.all("forgotten") == []
    catalog.marks.set_pinned(NEW, False)
    catalog.marks.forget([OLD, NEW])
    with pytest.raises(CatalogError):
        catalog.marks.forget([OLD])


def test_tags_and_pin_are_changed_and_the_time_is_noted(catalog: Catalog) -> None:
    assert catalog.snapshots.get(OLD).marked_at is None
    catalog.marks.set_tags(OLD, ["release", "odd\ntag"])
    catalog.marks.set_pinned(OLD, True)
    row = catalog.snapshots.get(OLD)
    assert row.tags == ("release", "odd\ntag")
    assert row.pinned
    assert row.marked_at is not None


def test_a_change_is_on_no_device_until_that_has_been_recorded(catalog: Catalog) -> None:
    assert catalog.marks.unwritten("b" * 32) == []
    catalog.marks.set_pinned(OLD, True)
    (first,) = catalog.marks.unwritten("b" * 32)
    assert (first.snapshot_id, first.tags, first.pinned, first.marks_on) == (OLD, ("daily",), True, ())
    catalog.marks.record_written(first, ["d1"])
    (written,) = catalog.marks.unwritten("b" * 32)
    catalog.marks.record_written(written, ["d2"])
    assert catalog.snapshots.get(OLD).marks_on == ("d1", "d2")

    catalog.marks.set_tags(OLD, ["release"])
    catalog.marks.record_written(first, ["d1"])
    assert catalog.snapshots.get(OLD).marks_on == ()
    assert catalog.marks.unwritten("c" * 32) == []


def test_what_is_not_sealed_is_not_marked(catalog: Catalog) -> None:
    for snapshot_id in (OPEN, "f" * 32):
        with pytest.raises(CatalogError):
            catalog.marks.set_tags(snapshot_id, [])
        with pytest.raises(CatalogError):
            catalog.marks.set_pinned(snapshot_id, True)
