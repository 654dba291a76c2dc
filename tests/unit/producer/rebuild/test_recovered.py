"""Where manifests are lost on all devices, files come back from the headers of the objects."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import Pool, tree
from producer.catalog.catalog import Catalog
from producer.catalog.lacks import still_lacking
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.manifest.tombstones import encode_tombstone, tombstone_name
from producer.rebuild import rebuild


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    with in_process(tmp_path) as made:
        found = Pool(tmp_path, made)
        for name in ("one", "folder/two", "folder/deep/three"):
            found.write(name)
        yield found


@pytest.fixture
def again(tmp_path: Path) -> Iterator[InProcess]:
    """The same devices, with a new catalog."""
    with Catalog(tmp_path / "again" / "catalog.sqlite") as catalog:
        yield InProcess(tmp_path, catalog)


def manifests(pool: Pool, pattern: str) -> list[Path]:
    return [path for name in "ab" for path in pool.device(name).glob(f"manifests/{pattern}")]


def tear(paths: list[Path]) -> None:
    assert paths
    for path in paths:
        path.write_bytes(b"torn")


def tear_parts(pool: Pool, snapshot_id: str, kind: str) -> None:
    heads = manifests(pool, f"{snapshot_id}.manifest")
    parts = json.loads(heads[0].read_bytes())["parts"]
    tear([path.with_name(part["name"]) for path in heads for part in parts if part["kind"] == kind])


def recovered(run: InProcess) -> SnapshotRow:
    (found,) = [row for row in run.catalog.snapshots.all() if row.volume.startswith("recovered-")]
    return found


def restored(run: InProcess, snapshot_id: str) -> dict[str, bytes]:
    shutil.rmtree(run.target, ignore_errors=True)
    assert run.restore(snapshot=snapshot_id).exit_code == 0
    return tree(run.target / "data")


@pytest.mark.parametrize("damage", ["torn", "gone"])
def test_files_come_back_without_any_manifest(pool: Pool, again: InProcess, damage: str) -> None:
    snapshot_id = pool.back_up()
    if damage == "torn":
        tear([*manifests(pool, "*.manifest"), *manifests(pool, "*.part")])
    else:
        for name in "ab":
            shutil.rmtree(pool.device(name) / "manifests")

    assert again.rebuild().snapshots == 1

    assert any("prune will free no space" in note for note in again.notes) == (damage == "torn")
    found = recovered(again)
    assert (found.files_count, found.description) == (
        3,
        f"files of snapshot {snapshot_id} of which no manifest is left",
    )
    assert restored(again, found.snapshot_id) == tree(pool.source)
    assert (again.check().exit_code, again.troubles) == (0, [])
    assert again.rebuild().snapshots == 0


def test_of_a_bundle_that_a_newer_snapshot_needs_in_part_the_rest_comes_back(pool: Pool, again: InProcess) -> None:
    for number in range(3):
        (pool.source / f"small{number}").write_bytes(b"%d" % number * 100)
    first = pool.back_up()
    shutil.rmtree(pool.source / "folder")
    for name in ("one", "small1"):
        (pool.source / name).unlink()
    second = pool.back_up()
    tear([*manifests(pool, f"{first}.manifest"), *manifests(pool, f"{first}.*.part")])

    again.rebuild()

    found = recovered(again).snapshot_id
    assert again.catalog.snapshots.states().keys() == {second, found}
    assert restored(again, found).keys() == {"one", "small1", "folder/two", "folder/deep/three"}


def test_what_lost_packs_named_is_missing_and_comes_back_without_its_metadata(pool: Pool, again: InProcess) -> None:
    first = pool.back_up()
    pool.write("later")
    second = pool.back_up()
    tear_parts(pool, second, "pack")

    assert again.rebuild().errors > 0

    assert restored(again, first) == tree(pool.copies[first])
    row = again.catalog.snapshots.get(second)
    (lack,) = still_lacking(row.lacks, again.catalog.devices.all(), row.sealed_at)
    assert (lack.device, lack.files) == ("", 4)
    assert restored(again, recovered(again).snapshot_id) == {"later": (pool.source / "later").read_bytes()}


def test_a_snapshot_without_the_list_of_its_tree_is_marked_and_its_files_come_back(
    pool: Pool, again: InProcess
) -> None:
    snapshot_id = pool.back_up()
    tear_parts(pool, snapshot_id, "tree")

    again.rebuild()

    assert again.catalog.snapshots.get(snapshot_id).entries_count == 0
    assert restored(again, recovered(again).snapshot_id) == tree(pool.source)


@pytest.mark.parametrize("lost", ["tree", "pack", "index"])
def test_a_rebuild_that_dies_before_it_has_looked_for_losses_finds_them_the_next_time(
    pool: Pool, again: InProcess, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    snapshot_id = pool.back_up()
    tear_parts(pool, snapshot_id, lost)

    class Killed(Exception):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(rebuild, "lost_parts", die)
        again.rebuild()
    assert snapshot_id in again.catalog.snapshots.states()
    own = again.catalog.generations.catalog_id

    again.rebuild()

    if lost == "index":
        assert restored(again, snapshot_id) == tree(pool.source)
    else:
        assert again.catalog.snapshots.get(snapshot_id).lacks
        assert restored(again, recovered(again).snapshot_id) == tree(pool.source)
        # It may delete nothing: something that the lost catalog knew is not in this one.
        assert again.catalog.generations.catalog_id == own


def test_what_was_forgotten_does_not_come_back(pool: Pool, again: InProcess) -> None:
    first = pool.back_up()
    (pool.source / "one").unlink()
    pool.forget(first)
    pool.back_up()
    for name in "ab":
        tombstone = encode_tombstone(first, pool.catalog.generations.catalog_id)
        (pool.device(name) / "manifests" / tombstone_name(first)).write_bytes(tombstone)
    tear(manifests(pool, "*.manifest"))

    again.rebuild()

    assert set(restored(again, recovered(again).snapshot_id)) == {"folder/two", "folder/deep/three"}


def test_a_snapshot_that_another_catalog_is_storing_is_left_to_it(pool: Pool, again: InProcess) -> None:
    snapshot_id = pool.back_up()
    for path in manifests(pool, f"{snapshot_id}.manifest"):
        path.unlink()
    for name in "ab":
        claim = {"format_version": 1, "snapshot_id": snapshot_id, "catalog_id": "f" * 32, "volume": "other"}
        (pool.device(name) / "manifests" / f"{snapshot_id}.claim").write_text(json.dumps(claim))

    assert again.rebuild().snapshots == 0


def test_a_catalog_that_accepts_the_damage_may_delete_and_loses_nothing_more(pool: Pool, again: InProcess) -> None:
    lost, kept = pool.back_up(), ""
    pool.write("later")
    (pool.source / "one").unlink()
    kept = pool.back_up()
    tear(manifests(pool, f"{lost}.manifest"))
    again.rebuild()
    assert any("rebuild --accept-damage" in note for note in again.notes)
    found = recovered(again).snapshot_id
    before = restored(again, found)

    assert again.rebuild(accept_damage=True).exit_code == 3

    assert again.catalog.generations.catalog_id == pool.catalog.generations.catalog_id
    assert again.prune().exit_code == 0
    assert restored(again, kept) == tree(pool.copies[kept])
    assert restored(again, found) == before
    with again.catalog.durable_transaction():
        again.catalog.marks.forget([found])
    assert again.prune().bytes_freed > 0
    assert restored(again, kept) == tree(pool.copies[kept])
    # What is damaged is not there any more.
    assert again.rebuild().errors == 0


def test_no_damage_is_accepted_while_a_device_is_away(pool: Pool, again: InProcess) -> None:
    snapshot_id = pool.back_up()
    own = again.catalog.generations.catalog_id
    tear([path for path in manifests(pool, f"{snapshot_id}.manifest") if path.is_relative_to(pool.device("a"))])
    pool.device("b").rename(pool.folder / "away")
    again.catalog.devices.record(pool.catalog.devices.get(json.loads(marker(pool.folder / "away"))["device_id"]))

    again.rebuild(accept_damage=True)

    assert again.catalog.generations.catalog_id == own
    assert manifests(pool, f"{snapshot_id}.manifest")
    (pool.folder / "away").rename(pool.device("b"))
    assert again.rebuild().snapshots == 1
    assert again.catalog.generations.catalog_id == pool.catalog.generations.catalog_id


def marker(device: Path) -> bytes:
    return (device / "segfleet.json").read_bytes()
