"""A power cut between any two steps of a prune, or inside one, costs space alone, which the next prune gets back."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from kit.disks.power_cut import PowerCut
from kit.models.in_process import CATALOG, InProcess, in_process
from kit.models.kept_trees import Killed
from kit.models.prune_points import NONE_UNUSED, PARITY_POINTS, POINTS, fill, fill_groups, first_of_all
from kit.models.pruned_pool import Pool
from tasks.orders import Order, StoreSegment

#: Where each prune begins; the catalog and the devices of it.
KEPT = ("state", "devices")


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    folder = tmp_path_factory.mktemp("pool")
    with in_process(folder) as made:
        pool = Pool(folder, made)
        fill(pool)
    for name in KEPT:
        shutil.copytree(folder / name, folder / "begin" / name)
    return pool


def die() -> None:
    raise Killed


def cut_off(pool: Pool, point: str, *, inside: bool, survives: float) -> None:
    """A prune whose power goes where ``point`` begins, or, ``inside``, with the next entries of a folder."""
    for name in KEPT:
        shutil.rmtree(pool.folder / name)
        shutil.copytree(pool.folder / "begin" / name, pool.folder / name)
    shutil.rmtree(pool.folder / "shadow", ignore_errors=True)
    power = PowerCut(pool.folder / "devices", pool.folder / CATALOG, pool.folder / "shadow")

    def act() -> None:
        if inside:
            power.before_sync = die
        else:
            die()

    with (
        suppress(Killed),
        in_process(pool.folder, pool.made.devices) as made,
        first_of_all(point, act),
        power.watching(),
    ):
        made.prune(limits=NONE_UNUSED)
    power.cut(survives=survives)


@pytest.mark.parametrize(("inside", "survives"), [(False, 0), (True, 0.5)], ids=["between steps", "inside of steps"])
def test_what_is_not_yet_on_the_disks_when_the_power_goes_costs_space_alone(
    pool: Pool, inside: bool, survives: float
) -> None:
    for point in POINTS:
        cut_off(pool, point, inside=inside, survives=survives)

        with in_process(pool.folder) as made:
            pool.reopen(made)
            pool.check()
            made.prune(limits=NONE_UNUSED)
            again = made.prune(limits=NONE_UNUSED)
            assert (again.exit_code, again.objects_deleted, again.objects_written) == (0, 0, 0), point
            assert pool.objects() == pool.needed_objects(), point


def test_when_the_power_goes_while_groups_are_formed_anew_any_device_may_be_lost(tmp_path: Path) -> None:
    with in_process(tmp_path, "abc") as made:
        pool = Pool(tmp_path, made, parity=1)
        fill_groups(pool)
    for name in KEPT:
        shutil.copytree(tmp_path / name, tmp_path / "begin" / name)

    for number, (point, away) in enumerate(zip(PARITY_POINTS, cycle("abc"), strict=False)):
        inside = number % 2 == 0
        cut_off(pool, point, inside=inside, survives=0.5 if inside else 0)

        with in_process(tmp_path, "abc") as made:
            pool.reopen(made)
            pool.check_without(away)
            made.prune(limits=NONE_UNUSED)
            pool.check_without(away)
            assert pool.objects() == pool.needed_objects(), point
            of_groups = {one.object_id for group in made.catalog.parity.groups() for one in group.members}
            assert of_groups == pool.objects(), point


def test_what_a_backup_has_stored_when_the_power_goes_is_resumed_or_deleted(tmp_path: Path) -> None:
    with in_process(tmp_path) as made:
        Pool(tmp_path, made).write("data")
    power = PowerCut(tmp_path / "devices", tmp_path / CATALOG, tmp_path / "shadow")
    with suppress(Killed), in_process(tmp_path) as made, power.watching():
        made.before = lambda order: die_after(made, order)
        made.back_up({"data": tmp_path / "source"})
    power.cut(survives=1)

    with in_process(tmp_path) as made:
        [unfinished] = made.catalog.snapshots.all("open")
        assert list((tmp_path / "devices").rglob("*.seg"))
        made.catalog.marks.forget([unfinished.snapshot_id])
        made.prune()
    assert not list((tmp_path / "devices").rglob("*.seg"))


def die_after(made: InProcess, order: Order) -> None:
    if isinstance(order, StoreSegment):
        made.carry_out(order)
        raise Killed


def test_a_power_cut_takes_what_was_not_synced(tmp_path: Path) -> None:
    """Of the simulation itself."""
    folder = tmp_path / "devices" / "a"
    folder.mkdir(parents=True)
    (folder / "deleted").write_bytes(b"old")
    (tmp_path / "catalog").write_bytes(b"old")
    power = PowerCut(tmp_path / "devices", tmp_path / "catalog", tmp_path / "shadow")

    with power.watching():
        for name in ("synced", "not synced"):
            (folder / name).write_bytes(b"new")
        sync(folder / "synced")
        sync(folder)
        (folder / "late").write_bytes(b"new")
        sync(folder / "late")
        (folder / "deleted").unlink()
        (tmp_path / "catalog").write_bytes(b"new")
    power.cut(survives=0)

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "deleted": b"old",
        "synced": b"new",
        "not synced": b"",
    }
    assert (tmp_path / "catalog").read_bytes() == b"old"


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
