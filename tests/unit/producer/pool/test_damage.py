"""A snapshot says which of its files need what is damaged, for as long as no device has it whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import backup_request, offline
from kit.tree import Tree, noise
from producer.backup.sealing.record_tree import record_tree
from producer.catalog.catalog import Catalog
from producer.catalog.lacks import still_lacking
from producer.catalog.tables.objects import StoredObject
from producer.pool.losses.damage import refresh_damage
from producer.pool.losses.lost import mark_lost
from producer.summaries import Incomplete

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
FILE_BYTES = 50_000


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """One sealed snapshot of six files, each in a segment of its own."""
    source = Tree({f"file-{number}": noise(FILE_BYTES, number) for number in range(6)}).make(tmp_path / "data")
    with offline(tmp_path) as run:
        intake = run.plan(backup_request({"data": source}, bundle=False))
        run.store(intake)
        record_tree(run.catalog, run.catalog.snapshots.get(intake.snapshot_id), intake.members)
        run.catalog.snapshots.seal(intake.snapshot_id, SINCE, b"h" * 32)
        yield run.catalog


def incomplete(catalog: Catalog) -> tuple[Incomplete, ...]:
    (snapshot,) = catalog.snapshots.all()
    return still_lacking(snapshot.lacks, catalog.devices.all(), snapshot.sealed_at)


def damage(catalog: Catalog, device: str, count: int) -> list[StoredObject]:
    row = catalog.devices.by_name(device)
    assert row is not None
    found = list(catalog.objects.on_device(row.device_id))[:count]
    for one in found:
        catalog.objects.mark(*one.key, is_damaged=True)
    return found


def test_the_files_that_need_a_damaged_object_are_counted_until_it_is_whole_again(catalog: Catalog) -> None:
    objects = damage(catalog, "b", 2)
    refresh_damage(catalog)

    (lack,) = incomplete(catalog)
    assert (lack.device, lack.files, lack.bytes, lack.damaged, lack.lost) == ("b", 2, 2 * FILE_BYTES, True, False)

    catalog.objects.mark(*objects[0].key, is_damaged=False)
    refresh_damage(catalog)
    (left,) = incomplete(catalog)
    assert (left.files, left.since) == (1, lack.since)

    catalog.objects.mark(*objects[1].key, is_damaged=False)
    refresh_damage(catalog)
    assert incomplete(catalog) == ()
    assert catalog.snapshots.all()[0].lacks == ()


def test_what_another_object_holds_is_not_lacking(catalog: Catalog) -> None:
    (one,) = damage(catalog, "b", 1)
    other = catalog.devices.by_name("a")
    assert other is not None
    half = replace(one, object_id="e" * 32, device_id=other.device_id, parts=((0, FILE_BYTES // 2),), is_damaged=False)
    catalog.objects.add(half)
    refresh_damage(catalog)
    assert [(lack.device, lack.files, lack.bytes) for lack in incomplete(catalog)] == [("b", 1, FILE_BYTES // 2)]

    catalog.objects.add(replace(half, parts=None))
    refresh_damage(catalog)
    assert incomplete(catalog) == ()


def test_of_an_object_that_is_damaged_in_part_only_that_part_is_lacking(catalog: Catalog) -> None:
    (one,) = damage(catalog, "b", 1)
    catalog.objects.mark(*one.key, is_damaged=True, ranges=((10_000, 500),))
    refresh_damage(catalog)
    assert [(lack.files, lack.bytes) for lack in incomplete(catalog)] == [(1, 500)]


def test_copies_that_are_damaged_in_different_ranges_make_up_for_each_other(catalog: Catalog) -> None:
    (one,) = damage(catalog, "b", 1)
    other = catalog.devices.by_name("a")
    assert other is not None
    catalog.objects.mark(*one.key, is_damaged=True, ranges=((0, 500),))
    catalog.objects.add(replace(one, device_id=other.device_id, is_damaged=True, damaged_ranges=((400, 500),)))
    refresh_damage(catalog)
    assert sum(lack.bytes for lack in incomplete(catalog)) == 100


def test_two_damaged_copies_count_once(catalog: Catalog) -> None:
    (one,) = damage(catalog, "b", 1)
    other = catalog.devices.by_name("a")
    assert other is not None
    catalog.objects.add(replace(one, device_id=other.device_id, is_damaged=True))
    refresh_damage(catalog)
    assert sum(lack.bytes for lack in incomplete(catalog)) == FILE_BYTES


def test_damage_on_a_device_that_is_lost_is_part_of_the_loss(catalog: Catalog) -> None:
    damage(catalog, "b", 1)
    device = catalog.devices.by_name("b")
    assert device is not None
    mark_lost(catalog, device)
    refresh_damage(catalog)
    (lack,) = incomplete(catalog)
    assert lack.lost
    assert not lack.damaged
    assert lack.files > 1


def test_without_damage_no_tree_is_read(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog.trees, "of", lambda _snapshot_id: pytest.fail("a tree was read"))
    refresh_damage(catalog)
    assert incomplete(catalog) == ()
