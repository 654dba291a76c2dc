"""With --parity M any M devices may be lost: everything comes back, byte for byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from kit.models.in_process import InProcess, in_process
from kit.models.pruned_pool import tree
from kit.tree import Tree, noise
from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.pool.losses.at_risk import Risks, at_risk_of
from producer.pool.losses.lost import device_named, mark_lost
from tasks.errors import DeviceFullError
from tasks.orders import Order
from tasks.orders.parity import MakeParity

TREE = Tree({"large": noise(400_000), **{f"d/{n}": noise(20_000 + 900 * n, seed=n) for n in range(24)}})
PLAN: dict[str, Any] = {"segment_bytes": 64 * 1024}


@pytest.fixture(scope="module", params=[1, 2])
def pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[InProcess, int]]:
    folder = tmp_path_factory.mktemp("pool")
    with in_process(folder, "abcd") as made:
        source = TREE.make(folder / "data")
        first = made.back_up({"data": source}, parity=request.param, **PLAN)
        (source / "new").write_bytes(noise(50_000, seed=99))
        made.back_up({"data": source}, parity=request.param, **PLAN)
        assert first.exit_code == 0
        yield made, request.param


def restored(made: InProcess, target: Path) -> int:
    shutil.rmtree(target, ignore_errors=True)
    made.target = target
    return made.restore().exit_code


@contextmanager
def without(made: InProcess, lost: Iterable[str]) -> Iterator[None]:
    """Some devices are away meanwhile."""
    for name in lost:
        (made.folder / "devices" / name).rename(made.folder / f"away-{name}")
    try:
        yield
    finally:
        for name in lost:
            (made.folder / f"away-{name}").rename(made.folder / "devices" / name)


def is_whole(made: InProcess, target: Path, lost: Iterable[str] = ()) -> bool:
    with without(made, lost):
        restored(made, target)
    return tree(target / "data") == tree(made.folder / "data")


def objects(made: InProcess, device: str) -> list[Path]:
    return sorted((made.folder / "devices" / device).rglob("*.seg"))


def stored(made: InProcess, object_id: str) -> Path:
    return next((made.folder / "devices").rglob(f"{object_id}.*"))


def rows(made: InProcess) -> list[Path]:
    return sorted((made.folder / "devices").rglob("*.par"))


@pytest.mark.parametrize("lost", list(combinations("abcd", 1)) + list(combinations("abcd", 2)))
def test_with_any_devices_lost_up_to_the_parity_everything_comes_back(
    pool: tuple[InProcess, int], lost: tuple[str, ...], tmp_path: Path
) -> None:
    made, parity = pool
    whole = tree(made.folder / "data")

    with without(made, lost):
        exit_code = restored(made, tmp_path / "back")

    missing = {path for path, _ in made.troubles if path}
    if len(lost) <= parity:
        assert (exit_code, missing) == (0, set())
        assert any("from parity" in note for note in made.notes)
    else:
        assert exit_code == 3
        assert missing
    expected = {path: data for path, data in whole.items() if f"data/{path}" not in missing}
    assert tree(tmp_path / "back" / "data") == expected


def test_bits_that_rot_on_as_many_devices_lose_nothing(pool: tuple[InProcess, int], tmp_path: Path) -> None:
    made, parity = pool
    kept = {path: path.read_bytes() for name in "abcd"[:parity] for path in objects(made, name)}
    for number, (path, data) in enumerate(kept.items()):
        at = (len(data) * (number % 7 + 1)) // 9
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    try:
        assert is_whole(made, tmp_path / "back")
        assert made.troubles == []
        assert any("from parity" in note for note in made.notes)
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def test_each_file_of_a_group_is_on_a_device_of_its_own(pool: tuple[InProcess, int]) -> None:
    made, parity = pool
    ids = {one.object_id for device in made.catalog.devices.all() for one in on(made, device.device_id)}
    groups = made.catalog.parity.groups()

    assert {member.object_id for group in groups for member in group.members} == ids
    assert {len(group.rows) for group in groups} == {parity}
    assert devices_of_groups(made)


def on(made: InProcess, device_id: str) -> list[StoredObject]:
    return list(made.catalog.objects.on_device(device_id))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[InProcess]:
    """One snapshot with parity 1 on a, b, c and d."""
    with in_process(tmp_path, "abcd") as made:
        source = TREE.make(tmp_path / "data")
        for path in source.rglob("*"):
            os.utime(path, (10**9, 10**9))
        made.back_up({"data": source}, parity=1, **PLAN)
        yield made


def test_a_prune_keeps_what_the_parity_of_others_needs_and_deletes_groups_that_are_dead(
    fresh: InProcess, tmp_path: Path
) -> None:
    first = fresh.catalog.snapshots.find("latest").snapshot_id
    for number in range(0, 24, 2):
        (tmp_path / "data" / "d" / str(number)).unlink()
    fresh.back_up({"data": tmp_path / "data"}, parity=1, **PLAN)
    forget(fresh, first)
    fresh.prune()
    assert all(is_whole(fresh, tmp_path / "back", name) for name in "abcd")
    assert all(is_whole_after_a_rebuild(fresh, tmp_path, name) for name in "abcd")

    second = fresh.catalog.snapshots.find("latest").snapshot_id
    for path in sorted((tmp_path / "data").rglob("*")):
        if path.is_file():
            path.unlink()
    (tmp_path / "data" / "only").write_bytes(noise(1000, seed=5))
    fresh.back_up({"data": tmp_path / "data"}, parity=1, **PLAN)
    forget(fresh, second)
    fresh.prune()

    assert len(rows(fresh)) == 1
    assert all(is_whole(fresh, tmp_path / "back", name) for name in "abcd")


def test_after_a_loss_the_files_at_risk_with_each_device_are_those_that_go_with_it(
    fresh: InProcess, tmp_path: Path
) -> None:
    mark_lost(fresh.catalog, device_named(fresh.catalog, "a"))
    ids = {row.name: row.device_id for row in fresh.catalog.devices.all()}
    risks = Risks(fresh.catalog)

    for name in "bcd":
        with without(fresh, ["a", name]):
            restored(fresh, tmp_path / "back")
        missing = {path for path, _ in fresh.troubles if path}
        assert {path for _, path in risks.paths_on(ids[name])} == missing != set()
        assert risks.by_device()[ids[name]].files_count == len(missing)
        of_latest = at_risk_of(fresh.catalog, fresh.catalog.snapshots.find("latest").snapshot_id)
        assert of_latest == risks.by_device()


def is_whole_after_a_rebuild(made: InProcess, folder: Path, lost: str) -> bool:
    """With a device that is away already when the catalog is made again."""
    catalog = made.catalog
    try:
        with Catalog(folder / f"without-{lost}.sqlite") as made.catalog, without(made, lost):
            made.rebuild()
            restored(made, folder / "back")
        return tree(folder / "back" / "data") == tree(folder / "data")
    finally:
        made.catalog = catalog


def forget(made: InProcess, snapshot_id: str) -> None:
    with made.catalog.durable_transaction():
        made.catalog.marks.forget([snapshot_id])


def test_a_rebuild_finds_the_groups(fresh: InProcess, tmp_path: Path) -> None:
    before = fresh.catalog.parity.groups()
    with Catalog(tmp_path / "other.sqlite") as catalog:
        fresh.catalog = catalog
        fresh.rebuild()

        assert catalog.parity.groups() == before
        assert all(is_whole(fresh, tmp_path / "back", name) for name in "abcd")


def test_a_rebuild_learns_the_rows_of_a_device_that_has_come_back(tmp_path: Path) -> None:
    with in_process(tmp_path, "abcd") as made, Catalog(tmp_path / "other.sqlite") as catalog:
        made.back_up({"data": TREE.make(tmp_path / "data")}, parity=2, **PLAN)
        before = made.catalog.parity.groups()
        made.catalog = catalog
        with without(made, "d"):
            made.rebuild()
        assert any(not row.device_id for group in catalog.parity.groups() for row in group.rows)

        made.rebuild()

        assert catalog.parity.groups() == before


@pytest.mark.parametrize("is_unchanged", [False, True])
def test_after_a_loss_the_next_backup_protects_all_on_the_devices_that_are_left(
    is_unchanged: bool, fresh: InProcess, tmp_path: Path
) -> None:
    # Files that are unchanged are healed: their segments have old objects, on the lost device, and new ones.
    fresh.ignore_ctime = is_unchanged
    row = next(row for row in fresh.catalog.devices.all() if row.name == "b")
    shutil.rmtree(tmp_path / "devices" / "b")
    fresh.catalog.devices.set_state(row.device_id, "lost", "lost")
    fresh.devices = "acd"

    summary = fresh.back_up({"data": tmp_path / "data"}, parity=1, **PLAN)

    assert (summary.exit_code, summary.parity_missing) == (0, 0)
    for name in "acd":
        assert is_whole(fresh, tmp_path / "back", name)


def test_when_a_device_retires_no_two_files_of_a_group_come_to_lie_on_one(fresh: InProcess, tmp_path: Path) -> None:
    fresh.retire("b")
    fresh.devices = "acd"
    shutil.rmtree(tmp_path / "devices" / "b")

    assert fresh.troubles == []
    assert max(map(len, devices_of_groups(fresh))) == 3
    for name in "acd":
        assert is_whole(fresh, tmp_path / "back", name)


def test_a_repair_makes_again_what_a_lost_device_held_on_those_that_are_left(fresh: InProcess, tmp_path: Path) -> None:
    lost = next(row for row in fresh.catalog.devices.all() if row.name == "c")
    mark_lost(fresh.catalog, lost)
    shutil.rmtree(tmp_path / "devices" / "c")
    fresh.devices = "abd"

    first, second = fresh.repair(), fresh.repair()

    assert (first.exit_code, first.objects_copied) == (0, len(on(fresh, lost.device_id)))
    assert (second.exit_code, second.objects_copied) == (0, 0)
    assert max(map(len, devices_of_groups(fresh))) == 3
    for name in "abd":
        assert is_whole(fresh, tmp_path / "back", name)
        assert is_whole_after_a_rebuild(fresh, tmp_path, name)


def test_a_repair_says_when_what_it_made_again_has_no_parity_yet(fresh: InProcess, tmp_path: Path) -> None:
    def refuse(order: Order) -> None:
        if isinstance(order, MakeParity):
            raise DeviceFullError(f"device {order.device} is full")

    mark_lost(fresh.catalog, device_named(fresh.catalog, "c"))
    fresh.devices, fresh.before = "abd", refuse
    first = fresh.repair()
    fresh.before = lambda order: None

    assert first.exit_code == 3 and ("", "parity") in fresh.troubles
    assert fresh.repair().exit_code == 0
    assert all(is_whole(fresh, tmp_path / "back", name) for name in "abd")


def test_a_repair_forms_groups_anew_of_which_only_a_row_was_lost(tmp_path: Path) -> None:
    with in_process(tmp_path, "abc") as made:
        source = tmp_path / "data"
        source.mkdir()
        made.ignore_ctime = True
        for made.devices in ("a", "ab", "abc"):
            (source / made.devices).write_bytes(noise(3000, seed=len(made.devices)) if made.devices != "abc" else b"")
            os.utime(source / made.devices, (10**9, 10**9))
            made.back_up({"data": source}, parity=int(made.devices == "abc"))
        mark_lost(made.catalog, device_named(made.catalog, "c"))
        made.devices = "ab"

        assert made.repair().exit_code == 0
        assert all(is_whole(made, tmp_path / "back", name) for name in "ab")

        mark_lost(made.catalog, device_named(made.catalog, "b"))
        made.devices = "a"
        assert made.repair().exit_code == 3
        assert made.troubles == [("", "parity")]


def test_each_repair_says_that_there_are_too_few_devices_for_the_parity_that_was_asked_for(tmp_path: Path) -> None:
    with in_process(tmp_path, "abcd") as made:
        made.back_up({"data": Tree({"file": noise(3000)}).make(tmp_path / "data")}, parity=2)
        for name in "cd":
            mark_lost(made.catalog, device_named(made.catalog, name))
            shutil.rmtree(made.device(name))
        made.devices = "ab"

        assert [made.repair().exit_code, made.repair().exit_code] == [3, 3]
        assert all(is_whole(made, tmp_path / "back", name) for name in "ab")

        made.devices = "abe"
        made.device("e").mkdir()
        (tmp_path / "data" / "new").write_bytes(noise(1000, seed=3))
        made.back_up({"data": tmp_path / "data"}, parity=2)
        assert made.repair().exit_code == 0


def devices_of_groups(made: InProcess) -> list[set[str]]:
    """Of each group the devices that its files lie on, each on one of its own."""
    left = [row.device_id for row in made.catalog.devices.all() if row.state != "lost"]
    places = {one.object_id: device_id for device_id in left for one in on(made, device_id)}
    found = []
    for group in made.catalog.parity.groups():
        ids = [places[member.object_id] for member in group.members] + [row.device_id for row in group.rows]
        assert len(ids) == len(set(ids))
        found.append(set(ids))
    return found


def test_a_check_finds_damage_that_parity_makes_up_for_and_a_repair_mends_it(fresh: InProcess, tmp_path: Path) -> None:
    of_one, of_another, of_a_third = fresh.catalog.parity.groups()[:3]
    spoilt, gone = (stored(fresh, group.members[0].object_id) for group in (of_one, of_another))
    row = stored(fresh, of_a_third.group_id)
    spoil(spoilt)
    gone.unlink()
    spoil(row)

    found = fresh.check(read_data=True)
    assert (found.exit_code, len(found.snapshots_damaged)) == (3, 0)
    assert {code for _, code in fresh.troubles} == {"damaged", "missing", "parity"}

    assert fresh.repair().exit_code == 0
    again = fresh.check(read_data=True)
    assert (again.exit_code, again.errors) == (0, 0)
    assert gone.exists()
    assert all(is_whole(fresh, tmp_path / "back", name) for name in "abcd")


def test_more_damage_than_parity_makes_up_for_is_named_with_its_files(fresh: InProcess, tmp_path: Path) -> None:
    group = max(fresh.catalog.parity.groups(), key=lambda group: len(group.members))
    for member in group.members[:2]:
        stored(fresh, member.object_id).unlink()

    assert fresh.check().exit_code == 3
    lacking = {path for path, code in fresh.troubles if path and code == "missing"}
    assert lacking
    assert fresh.catalog.snapshots.find("latest").lacks

    assert restored(fresh, tmp_path / "back") == 3
    kept = {path: data for path, data in tree(tmp_path / "data").items() if f"data/{path}" not in lacking}
    assert tree(tmp_path / "back" / "data") == kept


def spoil(path: Path) -> None:
    """One bit in the middle."""
    data = path.read_bytes()
    at = len(data) // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_a_second_loss_makes_what_parity_gave_of_the_first_lacking(fresh: InProcess, tmp_path: Path) -> None:
    devices = {row.name: row for row in fresh.catalog.devices.all()}

    assert mark_lost(fresh.catalog, devices["a"])[1] == 0
    assert mark_lost(fresh.catalog, devices["b"])[1] == 1

    lacks = fresh.catalog.snapshots.find("latest").lacks
    assert {lack.device for lack in lacks} == {"a", "b"}
    for name in "ab":
        shutil.rmtree(tmp_path / "devices" / name)
    assert restored(fresh, tmp_path / "back") == 3
    missing = {path for path, _ in fresh.troubles if path}
    assert len(missing) <= sum(lack.files_count for lack in lacks) <= len(missing) + 1


def test_a_prune_forms_the_groups_of_small_backups_anew_and_deletes_what_only_they_kept(
    fresh: InProcess, tmp_path: Path
) -> None:
    first = fresh.catalog.snapshots.find("latest").snapshot_id
    for night in range(4):
        (tmp_path / "data" / f"night-{night}").write_bytes(noise(30_000, seed=200 + night))
        fresh.back_up({"data": tmp_path / "data"}, parity=1, **PLAN)
    for number in range(0, 24, 2):
        (tmp_path / "data" / "d" / str(number)).unlink()
    fresh.back_up({"data": tmp_path / "data"}, parity=1, **PLAN)
    for row in fresh.catalog.snapshots.all()[:-1]:
        forget(fresh, row.snapshot_id)
    assert first not in {row.snapshot_id for row in fresh.catalog.snapshots.all()}
    before = len(rows(fresh))

    fresh.prune()
    after = len(rows(fresh))
    fresh.prune()

    assert len(rows(fresh)) == after < before
    assert devices_of_groups(fresh)
    assert all(is_whole(fresh, tmp_path / "back", name) for name in "abcd")
    assert all(is_whole_after_a_rebuild(fresh, tmp_path, name) for name in "abcd")
