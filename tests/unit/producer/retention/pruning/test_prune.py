"""Prunes with the workers' real code, in one process: what goes, what stays, and what waits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.retention.pruning.meeting import OldCatalogError
from tasks.generations import Generation, encode_generation, generation_name


class Pool:
    """A source, two devices, and a copy of the source for each snapshot."""

    def __init__(self, folder: Path, made: InProcess, catalog: Catalog) -> None:
        self.folder, self.made, self.catalog = folder, made, catalog
        self.source = folder / "source"
        self.source.mkdir()
        self.copies: dict[str, Path] = {}

    def write(self, name: str, size: int = 50_000) -> None:
        """A file of a content of its own."""
        path = self.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((f"{name}{len(self.copies)}" * size).encode()[:size])

    def back_up(self) -> str:
        self.made.back_up({"data": self.source})
        snapshot_id = self.catalog.snapshots.find("latest").snapshot_id
        self.copies[snapshot_id] = self.folder / "copies" / snapshot_id
        shutil.copytree(self.source, self.copies[snapshot_id])
        return snapshot_id

    def forget(self, *snapshot_ids: str) -> None:
        with self.catalog.durable_transaction():
            self.catalog.marks.forget(snapshot_ids)

    def check(self) -> None:
        """Every kept snapshot is restored exactly."""
        for row in self.catalog.snapshots.all():
            self.made.target = self.folder / "restored" / row.snapshot_id
            shutil.rmtree(self.made.target, ignore_errors=True)
            assert self.made.restore(snapshot=row.snapshot_id).exit_code == 0
            assert tree(self.made.target / "data") == tree(self.copies[row.snapshot_id])

    def device(self, name: str) -> Path:
        return self.folder / "devices" / name

    def stored(self) -> set[str]:
        """All files on the devices but markers and generations."""
        found = {path.name for name in "ab" for path in self.device(name).rglob("*") if path.is_file()}
        return {name for name in found if name != "segfleet.json" and not name.endswith(".generation")}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with in_process(tmp_path) as made:
        yield Pool(tmp_path, made, made.catalog)


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


def test_a_lost_try_goes_and_a_foreign_object_stays(pool: Pool) -> None:
    pool.write("one")
    snapshot_id = pool.back_up()
    stored = next(path for name in "ab" for path in pool.device(name).rglob("*.seg"))
    other = pool.device("a") / "segments" / "ff" / ("f" * 32 + ".seg")
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_bytes(b"written by somebody else")
    pool.catalog.doomed.add([])

    pool.made.prune()

    assert other.exists() and stored.exists()
    assert snapshot_id in pool.catalog.snapshots.states()
    pool.check()


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

    needed = pool.catalog.trees.of(opened).parts_of_segments
    assert pool.catalog.segments.by_ids(needed).keys() == needed.keys()


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
