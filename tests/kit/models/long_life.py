"""The life of a volume, day by day, with the code of manager and workers: what is done to it, and what goes wrong."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

from kit.models.in_process import InProcess
from kit.models.kept_trees import KeptTrees
from kit.mutator import Mutator
from kit.tree import noise
from producer.pool.losses.lost import device_named, mark_lost
from producer.requests import DEFAULT_LIMITS, Retention
from producer.retention.decisions import by_policy
from tasks.orders import PutManifest, StoreSegment
from tasks.orders.cleaning import DeleteStored
from tasks.orders.repacking import RepackObject

VOLUME = "home"
LARGE = "large"
DAMAGED_COUNT = 5
#: Kills come at one of so many orders.
KILLED_WITHIN = 12


@dataclass(frozen=True, kw_only=True)
class Scale:
    changes_count: int
    segment_bytes: int
    unit_bytes: int
    #: Of the file that is written to and appended to every day.
    large_bytes: int
    retention: Retention


class LongLife:
    """A tree that changes, and what its snapshots must restore to."""

    def __init__(self, run: InProcess, source: Path, *, seed: int, copies: int, scale: Scale) -> None:
        self.run, self.source, self.kept = run, source, KeptTrees(run, source)
        self._scale, self._copies = scale, copies
        self._random = random.Random(seed)
        (source / LARGE).write_bytes(noise(scale.large_bytes, seed))
        self._mutator = Mutator(source, seed, frozenset({LARGE}))

    def change(self) -> None:
        """As the owner of the tree does."""
        for _ in range(self._scale.changes_count):
            self._mutator.change()
        with (self.source / LARGE).open("r+b") as file:
            file.seek(self._random.randrange(self._scale.large_bytes))
            file.write(self._noise(100))
            file.seek(0, os.SEEK_END)
            file.write(self._noise(self._scale.large_bytes // 100))

    def back_up(self, *, killed: bool = False) -> None:
        """``killed``: at some segment; who starts it again has a whole snapshot."""
        if killed:
            with self._killed(StoreSegment):
                self._back_up()
        self._back_up()

    def forget(self, now: datetime) -> None:
        decision = by_policy(self.run.catalog, VOLUME, self._scale.retention, now)
        self.kept.forget(*(row.snapshot_id for row in decision.forgotten))

    def prune(self, *, killed: bool = False) -> None:
        if killed:
            with self._killed(DeleteStored, PutManifest, RepackObject):
                self.run.prune()
        done = self.run.prune()
        if not self.kept.indexed(only_damaged=True):
            self.kept.check_pruned(done, DEFAULT_LIMITS)

    def replace(self, name: str) -> None:
        """The device is lost, and an empty disk stands in its place."""
        shutil.rmtree(self.run.device(name))
        mark_lost(self.run.catalog, device_named(self.run.catalog, name))
        self.run.device(name).mkdir()
        if self._copies == 1:
            self.kept.miss(self.kept.trees.keys())

    def damage(self) -> None:
        """Bytes of stored objects change; a check finds these objects, and what has another copy is repaired.

        All on one device: two damaged objects may otherwise be the only copies of a segment.
        """
        stored = sorted(self.kept.stored())
        rotten, _ = self._random.choice(stored)
        objects = self._random.sample([one for one in stored if one[0] == rotten], DAMAGED_COUNT)
        for device, object_id in objects:
            (path,) = self.run.device(device).glob(f"segments/*/{object_id}.seg")
            data = bytearray(path.read_bytes())
            data[self._random.randrange(len(data))] ^= 0xFF
            path.write_bytes(data)
        assert self.run.check(read_data=True).exit_code == 3
        assert self.kept.indexed(only_damaged=True) == set(objects)
        repaired = self.run.repair()
        assert repaired.objects_copied + repaired.objects_damaged == DAMAGED_COUNT, repaired
        if self._copies > 1:
            assert (repaired.objects_damaged, self.run.check(read_data=True).exit_code) == (0, 0), self.run.troubles
        else:
            self.kept.miss(self.kept.trees.keys())

    def _back_up(self) -> None:
        done = self.run.back_up(
            {"data": self.source},
            has_troubles=True,
            copies=self._copies,
            segment_bytes=self._scale.segment_bytes,
            unit_bytes=self._scale.unit_bytes,
        )
        assert (done.exit_code, done.incomplete, done.copies_missing) == (0, (), 0), (done, self.run.troubles)
        self.kept.note(done.snapshot_id)

    def _killed(self, *kinds: type) -> AbstractContextManager[None]:
        carried_out = self._random.random() < 0.5
        return self.kept.killed_at(self._random.randint(1, KILLED_WITHIN), *kinds, carried_out=carried_out)

    def _noise(self, size_bytes: int) -> bytes:
        return noise(size_bytes, self._random.getrandbits(32))


class Calendar(datetime):
    """The clock of backups, some days ahead."""

    days_ahead = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(days=cls.days_ahead)
