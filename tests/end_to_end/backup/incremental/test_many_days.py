"""Four days of a tree that changes every day: each snapshot restores to exactly the tree of its day.

A backup is interrupted, a device is away for a day, another is lost and replaced; what they hold for older snapshots
comes back with the device, or is healed from files that have not changed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences, look_at
from kit.mutator import Mutator
from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.tree import Entry, File, HardLink, SparseFile, Symlink, Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")
DAYS_COUNT = 4
CHANGES_COUNT = 6
LOST_ON_DAY = 3
_OLD_NS = 10**18


def tree() -> Tree:
    files: dict[str | bytes, Entry | bytes] = {f"{n % 4}/small {n}": noise(2_000 + n, seed=n) for n in range(40)}
    files |= {"0/large": noise(4_500_000), "1/sparse": SparseFile(6_000_000, {5_000_000: b"island"})}
    files |= {"2/name": HardLink("0/large"), "3/link": Symlink("small 3"), "3/mode": File(b"x", mode=0o4755)}
    return Tree(files)


class Days:
    """``kept``: a copy of the tree of each day; ``done``: its backup."""

    def __init__(self, machine: Machine, seed: int) -> None:
        self.machine = machine
        self.source = tree().make(machine.folder / "data")
        for path in self.source.rglob("*"):
            # Older than the first backup, or they would be read again on the second day.
            os.utime(path, ns=(_OLD_NS, _OLD_NS), follow_symlinks=False)
        self._mutator = Mutator(self.source, seed, frozenset({"large", "name", "sparse"}))
        self._random = random.Random(seed)
        self.done: list[Done] = []
        for day in range(DAYS_COUNT):
            if day:
                self._change()
            self.done.append(self._day(day))

    def kept(self, day: int) -> Path:
        return self.machine.folder / "kept" / str(day) / "data"

    def _change(self) -> None:
        for _ in range(CHANGES_COUNT):
            self._mutator.change()
        with (self.source / "0" / "large").open("r+b") as file:
            file.seek(self._random.randrange(4_000_000))
            file.write(noise(100, seed=self._random.randrange(10**6)))
            file.seek(0, os.SEEK_END)
            file.write(noise(70_000, seed=self._random.randrange(10**6)))

    def _day(self, day: int) -> Done:
        self.kept(day).parent.mkdir(parents=True)
        # With its hard links and holes.
        assert os.spawnlp(os.P_WAIT, "cp", "cp", "-a", str(self.source), str(self.kept(day))) == 0
        match day:
            case 1:
                self._interrupted("a b c")
            case 2:
                self.machine.device("b").rename(self.machine.folder / "away")
                done = self._back_up("a b c", exit_code=3)
                self.machine.device("b").rmdir()
                (self.machine.folder / "away").rename(self.machine.device("b"))
                return done
            case _ if day == LOST_ON_DAY:
                self._lose("c")
                return self._back_up("a b d")
        return self._back_up("a b c")

    def _interrupted(self, devices: str) -> None:
        running = self.machine.start("backup", "data", *self.machine.devices(devices), *SMALL, "--json")
        running.wait_for_row(lambda row: row["message_type"] == "status", "the walk has begun")
        running.signal(signal.SIGINT)
        assert running.wait().exit_code in (0, 130)

    def _lose(self, device: str) -> None:
        shutil.rmtree(self.machine.device(device))
        self.machine.succeed("devices", "lost", device)

    def _back_up(self, devices: str, *, exit_code: int = 0) -> Done:
        done = self.machine.run("backup", "data", *self.machine.devices(devices), *SMALL, "--json")
        assert done.exit_code == exit_code, done
        return done


@pytest.fixture(scope="module")
def days() -> Iterator[Days]:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    with new_machine() as made:
        yield Days(made, seed)


@pytest.mark.parametrize("day", range(DAYS_COUNT))
def test_each_snapshot_restores_to_the_tree_of_its_day(days: Days, day: int, tmp_path: Path) -> None:
    snapshot = days.done[day].summary["snapshot_id"]
    done = days.machine.run("restore", snapshot, "--target", tmp_path / "out", *days.machine.devices("a b d"), "--json")
    if day >= LOST_ON_DAY:
        assert done.exit_code == 0, done
    if done.exit_code == 0:
        assert differences(days.kept(day), tmp_path / "out" / "data") == []
        return
    # What lay on the lost device alone, and has changed since, is named; nothing else is missing or wrong.
    assert done.exit_code == 3
    kept, found = look_at(days.kept(day)), look_at(tmp_path / "out" / "data")
    wrong = {path for path, look in kept.items() if found.get(path) != look}
    named = {os.fsencode(error["path"].removeprefix("data/")) for error in done.errors if error["path"]}
    assert wrong <= named.union(*(kept[path].names for path in named & kept.keys())), done
    # What was as on the first day when the device was lost has been healed; younger files may not be trusted.
    after = look_at(days.kept(LOST_ON_DAY))
    assert not {path for path in named & after.keys() if after[path].mtime_ns == _OLD_NS and after[path] == kept[path]}


def test_only_what_has_changed_is_read_each_day(days: Days) -> None:
    large_bytes, small_bytes = 5_000_000, 40 * 8_000
    for done in days.done[1 : DAYS_COUNT - 1]:
        assert done.summary["parent_id"]
        assert done.summary["bytes_read"] < large_bytes + small_bytes
        assert done.summary["bytes_stored"] < large_bytes
