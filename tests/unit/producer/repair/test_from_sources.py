"""A repair stores what no device has any more again from unchanged files, as the next backup would."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.models.in_process import CATALOG, InProcess, in_process
from kit.models.pruned_pool import tree
from kit.tree import Tree, noise
from producer.pool.losses.lost import device_named, mark_lost
from producer.requests import RepackLimits
from tasks.orders import StoreSegment

LARGE = 300_000
TREE = Tree({"large": noise(LARGE), **{f"d/{n}": noise(20_000, seed=n) for n in range(12)}})


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[InProcess]:
    """Two snapshots on three devices; in between a file came."""
    with in_process(tmp_path, "abc") as made:
        source = TREE.make(tmp_path / "data")
        made.back_up({"data": source})
        (source / "new").write_bytes(noise(50_000, seed=99))
        made.back_up({"data": source})
        yield made


def lose(made: InProcess, *names: str) -> None:
    for name in names:
        mark_lost(made.catalog, device_named(made.catalog, name))
        shutil.rmtree(made.device(name))
        made.devices = made.devices.replace(name, "")


def restored(made: InProcess, snapshot: str = "latest") -> dict[str, bytes]:
    shutil.rmtree(made.target, ignore_errors=True)
    assert made.restore(snapshot=snapshot).exit_code == 0, made.troubles
    return tree(made.target / "data")


def first_id(made: InProcess) -> str:
    return made.catalog.snapshots.all()[0].snapshot_id


def test_what_was_on_a_lost_device_is_stored_again_and_all_snapshots_are_whole(pool: InProcess, tmp_path: Path) -> None:
    lose(pool, "c")

    first, again = pool.repair(), pool.repair()

    assert (first.exit_code, first.objects_copied, first.errors) == (0, 0, 0)
    assert first.files_healed > 0
    assert first.bytes_healed > 50_000
    assert (again.exit_code, again.files_healed, again.bytes_healed) == (0, 0, 0)
    assert restored(pool) == tree(tmp_path / "data")
    assert restored(pool, first_id(pool)) == {
        name: data for name, data in tree(tmp_path / "data").items() if name != "new"
    }
    assert not any(snapshot.lacks for snapshot in pool.catalog.snapshots.all())


def test_objects_that_are_gone_or_damaged_are_stored_again(pool: InProcess, tmp_path: Path) -> None:
    torn, *gone = pool.device("b").rglob("*.seg")
    torn.write_bytes(b"torn")
    for path in gone:
        path.unlink()

    repaired = pool.repair()

    assert (repaired.exit_code, repaired.objects_damaged) == (0, 0)
    assert restored(pool) == tree(tmp_path / "data")
    assert pool.check(read_data=True).exit_code == 0


def test_a_file_that_has_changed_or_is_gone_is_counted_and_the_others_come_back(
    pool: InProcess, tmp_path: Path
) -> None:
    source = tmp_path / "data"
    before = tree(source)
    for number in range(0, 12, 2):
        (source / "d" / str(number)).write_bytes(noise(20_000, seed=100 + number))
    (source / "d" / "1").unlink()
    lose(pool, "b", "c")

    repaired = pool.repair()
    troubles = {code for _, code in pool.troubles}
    missing = {f"d/{number}" for number in (0, 1, 2, 4, 6, 8, 10)}
    shutil.rmtree(pool.target, ignore_errors=True)
    partly = pool.restore()
    found = tree(pool.target / "data")
    pool.back_up({"data": source})
    again = pool.repair()

    assert (repaired.exit_code, troubles) == (3, {"lost"})
    assert partly.exit_code == 3
    assert {name: data for name, data in before.items() if name not in missing}.items() <= found.items()
    assert again.exit_code == 0
    assert restored(pool) == tree(source)


def test_a_file_of_the_same_size_and_times_but_another_content_is_not_taken_for_the_old_one(
    pool: InProcess, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "d" / "3"
    times = path.stat()
    path.write_bytes(noise(20_000, seed=1000))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    lose(pool, "a", "c")

    assert pool.repair().exit_code in (0, 3)
    shutil.rmtree(pool.target, ignore_errors=True)
    pool.restore()
    assert tree(pool.target / "data").get("d/3") in (None, noise(20_000, seed=3))


def test_copies_and_parity_are_made_of_what_was_stored_again(tmp_path: Path) -> None:
    promises: list[dict[str, Any]] = [{"copies": 2}, {"parity": 1}]
    for promise in promises:
        folder = tmp_path / next(iter(promise))
        with in_process(folder, "abcde") as made:
            source = TREE.make(folder / "data")
            made.back_up({"data": source}, **promise)
            lose(made, "a", "b")

            assert made.repair().exit_code == 0, made.troubles
            for name in "cde":
                made.device(name).rename(folder / "away")
                assert restored(made) == tree(source)
                (folder / "away").rename(made.device(name))


def test_a_rebuild_finds_what_a_repair_stored_and_a_prune_keeps_it(pool: InProcess, tmp_path: Path) -> None:
    lose(pool, "c")
    pool.repair()
    assert pool.prune(limits=RepackLimits(max_unused_percent=0)).exit_code == 0
    assert restored(pool) == tree(tmp_path / "data")
    pool.catalog.close()
    (tmp_path / CATALOG).unlink()

    with in_process(tmp_path, "ab") as made:
        assert made.rebuild().exit_code == 0, made.troubles
        assert restored(made) == tree(tmp_path / "data")
        # Nobody has told the new catalog that c is lost, too.
        mark_lost(made.catalog, device_named(made.catalog, "c"))
        lose(made, "b")
        assert made.repair().exit_code == 0, made.troubles
        assert restored(made) == tree(tmp_path / "data")


def test_a_raw_volume_is_not_read_again(tmp_path: Path) -> None:
    with in_process(tmp_path, "ab") as made:
        image = tmp_path / "image"
        image.write_bytes(noise(LARGE))
        made.mode = "raw"
        made.back_up({"image": image})
        lose(made, "b")

        assert made.repair().exit_code == 3
        assert not any(isinstance(order, StoreSegment) for order in made.orders)


def test_a_source_that_is_not_there_is_named(pool: InProcess, tmp_path: Path) -> None:
    lose(pool, "c")
    (tmp_path / "data").rename(tmp_path / "elsewhere")

    repaired = pool.repair()

    assert repaired.exit_code == 3
    assert repaired.files_healed == 0


def test_an_empty_folder_of_a_device_that_is_away_is_named_once_with_what_to_do(pool: InProcess) -> None:
    for path in (pool.device("b"), pool.device("c")):
        shutil.rmtree(path)
    mark_lost(pool.catalog, device_named(pool.catalog, "c"))
    pool.devices = "ab"
    pool.device("b").mkdir()

    pool.repair()

    assert [code for _, code in pool.troubles].count("device-absent") == 1
    assert not any("deleted" in note for note in pool.notes)
    assert any("segfleet devices replace b=" in message for message in pool.messages)


def test_a_check_does_not_say_of_damage_that_others_have_what_a_lost_device_had(tmp_path: Path) -> None:
    with in_process(tmp_path, "ab") as made:
        made.back_up({"data": TREE.make(tmp_path / "data")}, copies=2)
        mark_lost(made.catalog, device_named(made.catalog, "b"))
        made.devices = "a"
        for path in made.device("a").rglob("*.seg"):
            path.write_bytes(b"torn")

        checked = made.check(read_data=True)

        assert checked.exit_code == 3
        assert not any("others have" in message for message in made.messages)
