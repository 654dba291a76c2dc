from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.rows import begin, plan, store
from producer.catalog.catalog import Catalog
from producer.catalog.tables.doomed import DoomedObject
from tasks.errors import LockedError


def sealed(catalog: Catalog, volume: str = "data", day: int = 0) -> str:
    snapshot_id = begin(catalog, volume, day)
    plan(catalog, snapshot_id, 1)
    store(catalog, snapshot_id, 0)
    row = catalog.snapshots.get(snapshot_id)
    catalog.snapshots.seal(snapshot_id, row.started_at, b"h" * 32)
    return snapshot_id


def test_a_forgotten_snapshot_is_no_parent_of_a_backup_that_had_chosen_it(catalog: Catalog) -> None:
    parent, child = sealed(catalog), begin(catalog, "data", day=1)
    catalog.marks.forget([parent])

    with pytest.raises(LockedError, match="forgotten just now"):
        catalog.snapshots.set_parent(child, parent)


def test_a_row_can_go_once_nothing_is_left_that_the_snapshot_stored(catalog: Catalog) -> None:
    snapshot_id, empty = sealed(catalog), begin(catalog, "other")
    catalog.marks.forget([snapshot_id, empty])

    assert not catalog.remains.is_empty(snapshot_id)
    assert catalog.remains.is_empty(empty)
    catalog.remains.drop(empty)
    assert [row.snapshot_id for row in catalog.snapshots.all("forgotten")] == [snapshot_id]


def test_a_catalog_knows_its_generations_and_none_of_another_copy(catalog: Catalog) -> None:
    first, second = catalog.generations.raise_(), catalog.generations.raise_()

    assert (first.number, second.number) == (1, 2)
    assert catalog.generations.knows(first) and catalog.generations.knows(second)
    assert not catalog.generations.knows(replace(second, token=first.token))


def test_each_catalog_has_an_id_that_stays(tmp_path: Path) -> None:
    with Catalog(tmp_path / "a.sqlite") as one, Catalog(tmp_path / "a.sqlite") as same:
        assert one.generations.catalog_id == same.generations.catalog_id
    with Catalog(tmp_path / "b.sqlite") as other:
        assert other.generations.catalog_id != one.generations.catalog_id


def test_what_is_doomed_waits_for_its_device(catalog: Catalog) -> None:
    rows = [
        DoomedObject(device_id=device * 32, object_id=name * 32, bytes_stored=7) for device in "ab" for name in "12"
    ]
    catalog.doomed.add(rows)
    catalog.doomed.remove("a" * 32, ["1" * 32])

    assert catalog.doomed.sums() == {"a" * 32: (1, 7), "b" * 32: (2, 14)}
    assert catalog.doomed.on("a" * 32) == [rows[1]]
