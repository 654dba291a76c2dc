"""Which snapshots say that they are incomplete while a device is away: all that lack something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import Tree, noise
from producer.catalog.lacks import still_lacking

TREE = Tree({name: noise(5_000, seed) for seed, name in enumerate("fghijk")})


@pytest.fixture
def run(tmp_path: Path) -> Iterator[InProcess]:
    """Two snapshots that share what is on three devices."""
    root = TREE.make(tmp_path / "src")
    with in_process(tmp_path, "abc") as made:
        for name in ("", "new"):
            if name:
                (root / name).write_bytes(noise(100, seed=99))
            made.back_up({"src": root}, segment_bytes=8 * 1024)
        yield made


def leave(run: InProcess, name: str) -> None:
    run.device(name).rename(run.folder / f"{name}-away")


def come_back(run: InProcess, name: str) -> None:
    (run.folder / f"{name}-away").rename(run.device(name))


def incomplete(run: InProcess) -> list[dict[str, int]]:
    """Of each snapshot, the oldest first: the device that it lacks → files."""
    devices = run.catalog.devices.all()
    return [
        {lack.device: lack.files for lack in still_lacking(row.lacks, devices, row.sealed_at)}
        for row in run.catalog.snapshots.all()
    ]


def back_up(run: InProcess) -> None:
    run.back_up({"src": run.folder / "src"}, has_troubles=True)


@pytest.mark.parametrize("look", [InProcess.check, InProcess.repair, back_up], ids=["check", "repair", "backup"])
def test_all_snapshots_that_lack_something_say_so_until_the_device_is_back(
    run: InProcess, look: Callable[[InProcess], object]
) -> None:
    leave(run, "c")
    look(run)
    found = incomplete(run)
    assert all(of_snapshot.keys() == {"c"} for of_snapshot in found), found

    come_back(run, "c")
    look(run)
    assert incomplete(run) == [{}] * len(run.catalog.snapshots.all())


def test_what_is_on_two_devices_that_are_away_counts_for_one(tmp_path: Path) -> None:
    root = TREE.make(tmp_path / "src")
    with in_process(tmp_path, "abc") as run:
        run.back_up({"src": root}, segment_bytes=8 * 1024, copies=2)
        leave(run, "c")
        run.check()
        assert incomplete(run) == [{}], "each file has another copy"

        leave(run, "b")
        run.check()
        (found,) = incomplete(run)
        lost = [path for path, code in run.troubles if path]
        assert sum(found.values()) == len(set(lost)) > 0
