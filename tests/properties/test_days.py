"""Days of a tree: changes, backups that may be interrupted, devices that go away, come back or are lost.

Every sealed snapshot restores to exactly the tree of its time: bytes and all metadata.  What lay on a lost device
and has changed since may be missing; then it is named, and nothing else is wrong.  The code of workers and manager is
the program's own; only the broker is missing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Set
from contextlib import ExitStack
from dataclasses import replace
from operator import methodcaller
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from kit.changing_tree import ChangingTree
from kit.compare import Look, differences, look_at
from kit.models.in_process import in_process
from producer.catalog.tables.devices import DeviceRow
from producer.pool.losses.lost import mark_lost
from tasks.orders import Order, PutManifest, StoreSegment

Change = Callable[[ChangingTree], None]

LEAVES = st.sampled_from(["a", "b", "c", "large", "one/a", "one/b", "one/c", "two/a", "two/b", "two/deep/a"])
FOLDERS = st.sampled_from(["one", "two", "two/deep", "three"])
PATHS = LEAVES | FOLDERS
#: Small enough for a bundle, and large enough for several segments.
SIZES = st.sampled_from([0, 10, 3_000, 150_000])
SEEDS = st.integers(0, 5)
DEVICES = st.sampled_from("ab")


def _change(kind: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Change]:
    return st.builds(methodcaller, st.just(kind), *arguments)


CHANGES = st.one_of(
    _change("write", PATHS, SIZES, SEEDS),
    _change("replace", LEAVES, SIZES, SEEDS),
    _change("change_inside", st.just("large") | LEAVES, st.integers(0, 300_000), SEEDS),
    _change("link", LEAVES, LEAVES),
    _change("symlink", PATHS, st.sampled_from(["a", "../one", "nowhere"])),
    _change("fifo", LEAVES),
    _change("folder", PATHS),
    _change("delete", PATHS),
    _change("rename", FOLDERS, FOLDERS) | _change("rename", PATHS, PATHS),
    _change("touch", PATHS),
    _change("change_mode", PATHS, st.sampled_from([0o700, 0o755, 0o4755])),
    _change("change_owner", PATHS, st.integers(0, 2)),
    _change("change_attribute", PATHS, st.sampled_from([b"", b"red", b"blue"])),
)


class Killed(Exception):
    """The manager dies, after it has sent some orders."""


class Days(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="sf-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.run = self.stack.enter_context(in_process(self.folder))
        self.run.ignore_ctime = True
        self.tree = ChangingTree(self.folder / "src")
        self.away = ""
        #: Whether a device was lost since the last backup.
        self.has_lost = False
        #: Of each snapshot what the tree was, and whether something of it may be lost.
        self.kept: dict[str, dict[bytes, Look]] = {}
        self.may_lack: set[str] = set()

    def teardown(self) -> None:
        self.bring_back()
        try:
            self.restore_all()
        finally:
            self.stack.close()

    # ---- the tree

    @initialize()
    def begin(self) -> None:
        for number, path in enumerate(("a", "one/a", "one/b", "two/a")):
            self.tree.write(path, 2_000 + number, number)
        self.tree.write("large", 300_000, 1)
        self.tree.link("two/a", "one/c")
        self.tree.symlink("two/b", "../a")

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=5))
    def change(self, changes: list[Change]) -> None:
        for one in changes:
            one(self.tree)

    # ---- backups

    @rule()
    def back_up(self) -> None:
        shutil.rmtree(self.run.target, ignore_errors=True)
        done = self.run.back_up({"src": self.tree.root}, has_troubles=True, segment_bytes=128 * 1024)
        assert done.snapshot_id is not None
        self.kept[done.snapshot_id] = look_at(self.tree.root)
        self.has_lost = False
        if not self.away:
            assert (done.exit_code, done.incomplete) == (0, ()), (self.run.troubles, self.run.notes)

    @rule(count=st.integers(0, 5), recorded=st.booleans())
    def interrupt(self, count: int, recorded: bool) -> None:
        """After ``count`` segments were stored, and before the seal at the latest; ``recorded``: their receipts too."""
        stored = 0

        def before(order: Order) -> None:
            nonlocal stored
            stored += isinstance(order, StoreSegment)
            if stored > count or isinstance(order, PutManifest):
                raise Killed

        self.run.before = before
        self.run.is_one_by_one = recorded
        try:
            self.back_up()
        except Killed:
            pass
        finally:
            self.run.before = lambda order: None
            self.run.is_one_by_one = False

    # ---- devices

    @precondition(lambda self: self.kept and not self.away and not self.has_lost)
    @rule(device=DEVICES)
    def take_away(self, device: str) -> None:
        self.away = device
        self._device(device).rename(self.folder / "away")

    @precondition(lambda self: self.away)
    @rule()
    def bring_back(self) -> None:
        if self.away:
            shutil.rmtree(self._device(self.away), ignore_errors=True)
            (self.folder / "away").rename(self._device(self.away))
            self.away = ""

    # Never both: then no device of the pool is left.
    @precondition(lambda self: self.kept and not self.away and not self.has_lost)
    @rule(device=DEVICES)
    def lose(self, device: str) -> None:
        row = self._row(device)
        if row is not None:
            mark_lost(self.run.catalog, row)
            shutil.rmtree(self._device(device))
            self._device(device).mkdir()
            self.may_lack |= self.kept.keys()
            self.has_lost = True

    def _device(self, name: str) -> Path:
        return self.folder / "devices" / name

    def _row(self, name: str) -> DeviceRow | None:
        rows = self.run.catalog.devices.all()
        return next((row for row in rows if row.name == name and row.state != "lost"), None)

    # ---- what must hold

    @precondition(lambda self: self.kept and not self.away)
    @rule()
    def restore_all(self) -> None:
        for snapshot_id, kept in self.kept.items():
            shutil.rmtree(self.run.target, ignore_errors=True)
            done = self.run.restore(snapshot=snapshot_id)
            found = look_at(self.run.target / "src")
            if snapshot_id not in self.may_lack:
                assert (done.exit_code, differences(kept, found)) == (0, []), self.run.troubles
                continue
            named = {os.fsencode(path.removeprefix("src/")) for path, _ in self.run.troubles}
            lost = kept.keys() - found.keys()
            assert lost <= named
            assert differences(without(kept, lost), found) == []
            assert (done.exit_code == 0) == (not lost)


def without(tree: dict[bytes, Look], lost: Set[bytes]) -> dict[bytes, Look]:
    """What must be found where a part is lost: of a file with several names, those that are left belong together."""

    def names(look: Look) -> frozenset[bytes]:
        left = look.names - lost
        return left if len(left) > 1 else frozenset()

    return {path: replace(look, names=names(look)) for path, look in tree.items() if path not in lost}


TestDays = Days.TestCase
# The same examples each time, and no shrinking: a step takes a quarter of a second.
TestDays.settings = settings(
    derandomize=True,
    max_examples=6,
    stateful_step_count=10,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
