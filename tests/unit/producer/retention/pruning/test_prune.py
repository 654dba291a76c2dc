"""Prunes with the workers' real code, in one process: what goes, what stays, and what waits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from kit.models.in_process import CATALOG, InProcess, in_process
from kit.models.pruned_pool import Pool
from kit.models.rows import begin, lose_snapshot, segments_by_id
from producer.catalog.catalog import Catalog
from producer.catalog.needed import NeededFinder
from producer.catalog.schema import snapshots, stored_objects
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place, PlacesWriter
from producer.listing.tree.tree_writer import TreeWriter
from producer.retention.pruning.meeting import OldCatalogError
from tasks.errors import DeviceFullError
from tasks.generations import Generation, encode_generation, generation_name
from tasks.orders import Order, PutManifest


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with in_process(tmp_path) as made:
        yield Pool(tmp_path, made)


def test_what_only_a_forgotten_snapshot_needs_is_deleted_and_the_others_are_whole(pool: Pool) -> None:
    for number in range(4):
        pool.write(f"stays-{number}")
    pool.write("changes")
    old = pool.back_up()
    pool.write("changes")
    pool.write("new")
    pool.back_up()
    pool.forget(old)

    summary = pool.made.prune()

    assert summary.exit_code == 0 and summary.errors == 0
    pool.check()
    assert pool.made.prune().objects_deleted == 0


def test_a_pool_whose_snapshots_are_all_forgotten_is_empty_after_a_prune(pool: Pool) -> None:
    pool.write("one")
    first = pool.back_up()
    pool.write("two")
    second = pool.back_up()
    pool.forget(first, second)

    summary = pool.made.prune()

    assert pool.stored() == set()
    assert summary.objects_deleted > 0 and summary.bytes_freed > 0 and summary.waiting == {}
    assert pool.catalog.snapshots.states() == {}


def test_a_dry_run_says_what_would_go_and_changes_nothing(pool: Pool) -> None:
    pool.write("one")
    pool.forget(pool.back_up())
    before = pool.stored()

    would = pool.made.prune(dry_run=True)

    assert pool.stored() == before and would.dry_run
    done = pool.made.prune()
    assert (would.objects_deleted, would.files_deleted) == (done.objects_deleted, done.files_deleted)


def test_what_an_absent_device_holds_goes_when_it_returns_and_nothing_comes_back(pool: Pool) -> None:
    pool.write("one")
    pool.write("two")
    old = pool.back_up()
    pool.forget(old)
    away = pool.folder / "away"
    pool.device("b").rename(away)

    summary = pool.made.prune()

    assert "b" in summary.waiting and summary.exit_code == 0
    assert (pool.device("a") / "manifests" / f"{old}.forgotten").exists()
    away.rename(pool.device("b"))
    pool.made.prune()
    assert pool.stored() == set() and pool.catalog.snapshots.states() == {}


def test_an_object_that_no_index_knows_goes_if_this_catalog_has_ended_its_snapshot(pool: Pool) -> None:
    """As if the receipt of it had been lost, and another try had counted."""
    pool.write("one")
    snapshot_id = pool.back_up()
    lost = _take_out_of_the_index(pool, snapshot_id)

    summary = pool.made.prune()

    assert summary.objects_deleted == 1 and not lost.exists()


def test_an_object_of_an_open_snapshot_stays_and_so_does_what_is_no_object(pool: Pool) -> None:
    pool.write("one")
    snapshot_id = pool.back_up()
    lost = _take_out_of_the_index(pool, snapshot_id)
    with pool.catalog.transaction():
        pool.catalog.snapshots._database.write(update(snapshots).values(state="open"))
    foreign = pool.device("a") / "segments" / "ff" / ("f" * 32 + ".seg")
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_bytes(b"written by somebody else")

    assert pool.made.prune().objects_deleted == 0
    assert lost.exists() and foreign.exists()


def test_a_copy_stays_while_the_backup_that_may_have_just_made_it_is_open(pool: Pool) -> None:
    """The catalog knows the object on the other device alone until the receipt of the copy comes."""
    pool.write("one")
    pool.back_up()
    stored = next(pool.device("a").rglob("*.seg"), None) or next(pool.device("b").rglob("*.seg"))
    other = "b" if stored.is_relative_to(pool.device("a")) else "a"
    copy = pool.device(other) / stored.relative_to(pool.device("b" if other == "a" else "a"))
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(stored, copy)
    running = begin(pool.catalog, "data")

    assert pool.made.prune().objects_deleted == 0 and copy.exists()

    pool.forget(running)
    assert pool.made.prune().objects_deleted == 1 and not copy.exists() and stored.exists()


def _take_out_of_the_index(pool: Pool, snapshot_id: str) -> Path:
    segment_ids = [row.segment_id for row in pool.catalog.segments.stored(snapshot_id)]
    row = pool.catalog.objects.of(segment_ids)[segment_ids[0]][0]
    another_try = update(stored_objects).where(stored_objects.c.object_id == row.object_id).values(object_id="e" * 32)
    pool.catalog.objects._database.write(another_try)
    return next(path for path in pool.folder.rglob(f"{row.object_id}.seg"))


def test_a_device_that_another_catalog_took_in_keeps_all(pool: Pool) -> None:
    pool.write("one")
    pool.forget(pool.back_up())
    marker = pool.device("a") / "segfleet.json"
    marker.write_text(marker.read_text().replace(pool.catalog.generations.catalog_id, "f" * 32))
    before = {path.name for path in pool.device("a").rglob("*")}

    summary = pool.made.prune()

    assert {path.name for path in pool.device("a").rglob("*")} == before
    assert "a" not in summary.waiting or "only catalog ffffffff" in summary.waiting["a"].why
    assert any("only catalog ffffffff may delete" in note for note in pool.made.notes)


def test_an_old_copy_of_the_catalog_changes_nothing(pool: Pool) -> None:
    pool.write("one")
    old = pool.back_up()
    pool.forget(old)
    later = Generation(catalog_id=pool.catalog.generations.catalog_id, number=9, token="0" * 32)
    place = pool.device("b") / "manifests" / generation_name(later.catalog_id)
    place.write_bytes(encode_generation(later))
    stored = pool.stored()

    with pytest.raises(OldCatalogError, match="is an old copy"):
        pool.made.prune()
    assert pool.stored() == stored


def test_a_snapshot_that_the_catalog_does_not_know_keeps_all(pool: Pool) -> None:
    pool.write("one")
    old = pool.back_up()
    head = pool.device("a") / "manifests" / f"{old}.manifest"
    shutil.copy(head, head.with_name("e" * 32 + ".manifest"))
    pool.forget(old)
    stored = pool.stored()

    with pytest.raises(OldCatalogError, match="holds snapshot eeeeeeee"):
        pool.made.prune()
    assert pool.stored() == stored


def test_the_parent_of_an_open_snapshot_stays_whole(pool: Pool) -> None:
    pool.write("one")
    parent = pool.back_up()
    pool.write("two")
    opened = pool.back_up()
    row = pool.catalog.snapshots.get(opened)
    pool.catalog.snapshots.begin(_open_child(pool.catalog, row.snapshot_id))
    pool.forget(parent, opened)

    pool.made.prune()

    assert pool.catalog.trees.of(opened).parts_of_segments.keys() <= segments_by_id(pool.catalog).keys()


def _open_child(catalog: Catalog, parent_id: str) -> NewSnapshot:
    parent = catalog.snapshots.get(parent_id)
    return NewSnapshot(
        snapshot_id="9" * 32,
        pool_id=parent.pool_id,
        volume=parent.volume,
        mode=parent.mode,
        hostname=parent.hostname,
        tags=(),
        sources=parent.sources,
        request={},
        started_at=parent.started_at,
        parent_id=parent_id,
    )


def test_the_maps_of_a_scattered_file_are_needed_with_its_part(catalog: Catalog) -> None:
    places = [Place(f"{number:032x}", 0, number * 4096, 4096) for number in range(100)]
    writer = PlacesWriter(1)
    writer.add(0, "image", 100 * 4096, places)
    batch = EntryBatch(
        directory="",
        names=["image"],
        kinds="f",
        modes=[0o644],
        uids=[0],
        gids=[0],
        mtimes_ns=[0],
        ctimes_ns=[0],
        sizes_bytes=[100 * 4096],
        inodes=[1],
        places=writer.places(),
    )
    tree_writer = TreeWriter()
    (part,) = [*tree_writer.add(batch), *tree_writer.flush()]
    catalog.trees.write(begin(catalog, "data"), [(0, part)])

    needed = NeededFinder(catalog).find()

    assert part.maps and needed.parts == {part.digest, *(one.digest for one in part.maps)}
    assert needed.segment_ids == {place.segment_id for place in places}


def test_a_catalog_made_again_has_what_forgotten_snapshots_lend_to_others(pool: Pool, tmp_path: Path) -> None:
    for number in range(3):
        pool.write(f"stays-{number}")
    old = pool.back_up()
    pool.write("new")
    kept = pool.back_up()
    pool.forget(old)
    pool.made.prune()

    with Catalog(tmp_path / "again" / "catalog.sqlite") as again:
        summary = InProcess(tmp_path, again).rebuild()

        assert (summary.snapshots, summary.errors) == (1, 0)
        assert again.snapshots.states() == {old: "forgotten", kept: "sealed"}
        needed = again.trees.of(kept).parts_of_segments.keys()
        assert again.objects.of(needed).keys() == needed
        assert again.trees.without(set(again.trees.of(kept).digests)) == set()


def test_what_was_doomed_and_is_found_again_as_needed_stays(pool: Pool) -> None:
    pool.write("one")
    snapshot_id = pool.back_up()
    rows = pool.catalog.garbage.objects(set())
    pool.catalog.doomed.add(rows)

    assert rows and pool.made.prune().objects_deleted == 0
    assert snapshot_id in pool.catalog.snapshots.states()
    pool.check()


def test_what_a_snapshot_has_brought_that_the_catalog_lost_stays(pool: Pool) -> None:
    pool.write("one")
    snapshot_id = pool.back_up()
    lose_snapshot(pool.folder / CATALOG, snapshot_id)

    assert pool.catalog.garbage.objects(set()) == []


def test_a_device_without_any_room_is_freed_nevertheless(pool: Pool) -> None:
    for name in ("one", "two"):
        pool.write(name)
    old = pool.back_up()
    for name in ("one", "two"):
        pool.write(name)
    pool.back_up()
    pool.forget(old)

    def full(order: Order) -> None:
        if isinstance(order, PutManifest) and order.device == "b":
            raise DeviceFullError("no room")

    pool.made.before = full
    would, summary = pool.made.prune(dry_run=True), pool.made.prune()
    pool.made.before = lambda order: None

    assert summary.exit_code == 0
    assert summary.devices["b"].objects_deleted == would.devices["b"].objects_deleted > 0
    pool.check()
    assert pool.made.prune().exit_code == 0
