"""Whatever is done to a pool: each kept snapshot whose devices are there restores exactly, and a prune leaves no waste.

Hypothesis chooses what is done: changes, backups, forgetting, prunes, both of them killed at any order, devices that go
away, come back, are lost, join, and leave on purpose, and repairs.  In some lives each segment has two copies, in some
a parity of one: what has either is lost with no single device.  The code of workers and manager is the program's own;
only the broker is missing.  ``make pool-states`` tries many more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from kit.models.in_process import in_process
from kit.models.kept_trees import KeptTrees
from kit.tree import noise
from producer.pool.losses.lost import device_named, mark_lost
from producer.requests import RepackLimits
from tasks.orders import PutManifest, StoreSegment
from tasks.orders.cleaning import DeleteStored
from tasks.orders.copying import CopyObject
from tasks.orders.repacking import RepackObject

EXAMPLES_COUNT = int(os.environ.get("SEGFLEET_POOL_STATES") or 0)
IS_LONG = EXAMPLES_COUNT > 0

PATHS = st.sampled_from(["a", "b", "c", "one/a", "one/b", "two/a", "two/deep/a"])
#: Some for a bundle, some for several segments.
SIZES = st.sampled_from([0, 10, 3_000, 20_000, 150_000])
NAMES = "abcd"
NONE_UNUSED = RepackLimits(max_unused_percent=0)
ANY_UNUSED = RepackLimits(max_unused_percent=100)


class PoolStates(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="sf-"))
        self.stack.callback(shutil.rmtree, self.folder)
        self.run = self.stack.enter_context(in_process(self.folder))
        self.source = self.folder / "source"
        self.source.mkdir()
        self.kept = KeptTrees(self.run, self.source)
        self.away = ""
        #: Was lost since the last backup or repair: its folder is that of no device until then.
        self.lost = ""
        #: Snapshots that parity lets survive the loss of a device; those that have survived one, and none since.
        self.protected: set[str] = set()
        self.worn: set[str] = set()
        #: Whether groups may still have members or rows on a device that was lost.
        self.lacks_parity = False

    def teardown(self) -> None:
        try:
            if self.away:
                self.bring_back()
            self.restore_all()
        finally:
            self.stack.close()

    @property
    def is_whole(self) -> bool:
        """Whether all devices are there, and something is stored on them."""
        return bool(self.kept.trees) and not self.away and not self.lost

    def adopted(self) -> list[str]:
        return sorted(row.name for row in self.kept.devices())

    # ---- the tree, and its snapshots

    @initialize(promise=st.sampled_from(["none", "copies", "parity"]))
    def begin(self, promise: str) -> None:
        self.promise = promise
        for number, path in enumerate(("a", "one/a", "one/b", "two/a")):
            self.write(path, 2_000 + number, number)
        self.write("large", 300_000, 1)
        self.back_up()

    @rule(path=PATHS, size=SIZES, seed=st.integers(0, 99))
    def write(self, path: str, size: int, seed: int) -> None:
        (self.source / path).parent.mkdir(parents=True, exist_ok=True)
        (self.source / path).write_bytes(noise(size, seed))

    @rule(place=st.integers(0, 290_000), seed=st.integers(0, 99))
    def change_inside(self, place: int, seed: int) -> None:
        with (self.source / "large").open("r+b") as file:
            file.seek(place)
            file.write(noise(100, seed))

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        (self.source / path).unlink(missing_ok=True)

    @rule()
    def back_up(self) -> None:
        plan = self.plan()
        done = self.run.back_up({"data": self.source}, has_troubles=True, segment_bytes=128 * 1024, **plan)
        assert done.snapshot_id is not None
        self.kept.note(done.snapshot_id)
        self.lost = ""
        if "parity" in plan and not done.parity_missing:
            self.protected.add(done.snapshot_id)
        if not self.away:
            lacking = done.copies_missing + done.parity_missing
            assert (done.exit_code, done.incomplete, lacking) == (0, (), 0), (self.run.troubles, self.run.notes)
        self.restore_all()

    def plan(self) -> dict[str, int]:
        """What a backup promises: as much as the devices allow."""
        here_count = len(self.run.devices) - bool(self.away)
        if here_count < 2 or self.promise == "none":
            return {}
        return {"copies": 2} if self.promise == "copies" else {"parity": 1}

    @rule(number=st.integers(1, 4), carried_out=st.booleans())
    def back_up_killed(self, number: int, carried_out: bool) -> None:
        with self.kept.killed_at(number, StoreSegment, PutManifest, carried_out=carried_out):
            self.back_up()

    @precondition(lambda self: len(self.kept.trees) > 1)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        ids = list(self.kept.trees)
        places = data.draw(st.sets(st.integers(0, len(ids) - 1), min_size=1, max_size=len(ids) - 1))
        self.kept.forget(*(ids[place] for place in sorted(places)))

    # ---- prunes

    @rule()
    def prune(self) -> None:
        done = self.run.prune(limits=NONE_UNUSED)
        assert done.exit_code == 0, self.run.troubles
        if self.is_whole and not self.run.catalog.snapshots.all("open"):
            # What is dead gives parity until its groups can be formed anew.
            self.kept.check_pruned(done, ANY_UNUSED if self.lacks_parity else NONE_UNUSED)
        self.restore_all()

    @rule(number=st.integers(1, 10), carried_out=st.booleans())
    def prune_killed(self, number: int, carried_out: bool) -> None:
        with self.kept.killed_at(number, PutManifest, DeleteStored, RepackObject, carried_out=carried_out):
            self.run.prune(limits=NONE_UNUSED)
        self.restore_all()

    # ---- devices

    @precondition(lambda self: self.is_whole)
    @rule(data=st.data())
    def take_away(self, data: st.DataObject) -> None:
        if len(self.adopted()) > 1:
            self.away = data.draw(st.sampled_from(self.adopted()))
            self.run.device(self.away).rename(self.folder / "away")

    @precondition(lambda self: self.away)
    @rule()
    def bring_back(self) -> None:
        shutil.rmtree(self.run.device(self.away), ignore_errors=True)
        (self.folder / "away").rename(self.run.device(self.away))
        self.away = ""
        self.restore_all()

    @precondition(lambda self: self.is_whole)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        if len(self.adopted()) > 1:
            name = data.draw(st.sampled_from(self.adopted()))
            if self.kept.only_on(name):
                self.kept.miss(self.kept.trees.keys() - self.protected)
            self.protected, self.worn = set(), self.protected
            self.lacks_parity = self.promise == "parity"
            shutil.rmtree(self.run.device(name))
            self.run.device(name).mkdir()
            mark_lost(self.run.catalog, device_named(self.run.catalog, name))
            self.lost = name
            self.restore_all()

    @precondition(lambda self: self.kept.trees and not self.away)
    @rule()
    def repair(self) -> None:
        """Without what is no device yet; ``add`` names it again."""
        self.run.devices, self.lost = "".join(self.adopted()), ""
        done = self.run.repair()
        if len(self.adopted()) == 1:
            # One device alone has neither copies nor parity.
            assert {code for _, code in self.run.troubles} <= {"parity", "repair", "lost"}
        else:
            # What was on a lost device alone, and has changed since, only its next backup can store.
            assert {code for _, code in self.run.troubles} <= ({"lost"} if self.kept.may_lack else set()), done
            self.lacks_parity = False
        if len(self.adopted()) > 1:
            self.protected, self.worn = self.protected | self.worn, set()
        self.restore_all()

    @precondition(lambda self: len(self.run.devices) < len(NAMES))
    @rule()
    def add(self) -> None:
        """The next backup takes it in."""
        name = next(name for name in NAMES if name not in self.run.devices)
        self.run.device(name).mkdir(parents=True, exist_ok=True)
        self.run.devices += name

    @precondition(lambda self: self.is_whole)
    @rule(data=st.data(), killed_at=st.integers(0, 6))
    def retire(self, data: st.DataObject, killed_at: int) -> None:
        """Its disk is then gone; ``killed_at``: 0 for not at all."""
        if len(self.adopted()) == 1:
            return
        name = data.draw(st.sampled_from(self.adopted()))
        with self.kept.killed_at(killed_at, PutManifest, CopyObject, RepackObject, carried_out=True):
            self.run.retire(name)
        if name not in self.adopted():
            shutil.rmtree(self.run.device(name))
            self.run.devices = self.run.devices.replace(name, "")
        if len(self.adopted()) == 1:
            self.protected = set()
            self.lacks_parity = self.promise == "parity"
        self.restore_all()

    def restore_all(self) -> None:
        """With a device away, only what parity protects comes back."""
        self.kept.restore_all(self.protected if self.away else self.kept.trees.keys())


TestPoolStates = PoolStates.TestCase
# The same examples each time, and no shrinking: a step takes a quarter of a second.
TestPoolStates.settings = settings(
    derandomize=not IS_LONG,
    max_examples=EXAMPLES_COUNT or 6,
    stateful_step_count=40 if IS_LONG else 14,
    phases=[Phase.generate, Phase.shrink] if IS_LONG else [Phase.generate],
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
