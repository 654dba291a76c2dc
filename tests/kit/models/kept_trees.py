"""What the snapshots of a pool in one process must restore to, and which objects its devices and its index have."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path

from kit.compare import Look, differences, look_at
from kit.models.in_process import InProcess
from producer.catalog.tables.devices import DeviceRow
from producer.requests import RepackLimits
from producer.summaries import PruneSummary
from tasks.orders import Order

#: Device and id of an object.
Objects = set[tuple[str, str]]


class Killed(BaseException):
    """The manager is gone; what the workers have done stands."""


class KeptTrees:
    """The tree of each snapshot of ``source``, as it was when it was backed up."""

    def __init__(self, run: InProcess, source: Path) -> None:
        self.run, self.catalog, self.source = run, run.catalog, source
        self.trees: dict[str, dict[bytes, Look]] = {}
        #: Snapshots of which something may be lost, because it had one copy.
        self.may_lack: set[str] = set()

    def note(self, snapshot_id: str | None) -> None:
        """The source is as it was backed up."""
        assert snapshot_id is not None
        self.trees[snapshot_id] = look_at(self.source)

    def forget(self, *snapshot_ids: str) -> None:
        with self.catalog.durable_transaction():
            self.catalog.marks.forget(snapshot_ids)
        for snapshot_id in snapshot_ids:
            del self.trees[snapshot_id]
        assert self.trees.keys() == {row.snapshot_id for row in self.catalog.snapshots.all()}

    def miss(self, snapshot_ids: Set[str]) -> None:
        """Something of these is gone."""
        self.may_lack |= snapshot_ids

    def restore_all(self, snapshot_ids: Set[str]) -> None:
        """Each of these is the tree of its day; what is lost for good is named, and nothing else is wrong."""
        for snapshot_id in snapshot_ids & self.trees.keys():
            kept = self.trees[snapshot_id]
            shutil.rmtree(self.run.target, ignore_errors=True)
            done = self.run.restore(snapshot=snapshot_id)
            found = look_at(self.run.target / "data")
            if done.exit_code == 0:
                assert differences(kept, found) == [], snapshot_id
                continue
            assert done.exit_code == 3 and snapshot_id in self.may_lack, (snapshot_id, self.run.troubles)
            named = {os.fsencode(path.removeprefix("data/")) for path, _ in self.run.troubles if path}
            wrong = {path for path, look in kept.items() if found.get(path) != look}
            above = {os.path.dirname(path) or b"." for path in named}
            assert wrong <= named | above, (snapshot_id, wrong - named)
            assert found.keys() <= kept.keys()

    def stored(self) -> Objects:
        """What is on the devices."""
        rows = self.devices()
        return {(row.name, path.stem) for row in rows for path in self.run.device(row.name).glob("segments/*/*.seg")}

    def indexed(self, *, only_damaged: bool = False) -> Objects:
        return {
            (row.name, one.object_id)
            for row in self.devices()
            for one in self.catalog.objects.on_device(row.device_id)
            if one.is_damaged or not only_damaged
        }

    def only_on(self, name: str) -> set[str]:
        """The ids of the objects that no other device has."""
        indexed = self.indexed()
        return {one for device, one in indexed if device == name} - {one for device, one in indexed if device != name}

    def devices(self) -> list[DeviceRow]:
        return [row for row in self.catalog.devices.all() if row.state != "lost"]

    def check_pruned(self, done: PruneSummary, limits: RepackLimits) -> None:
        """After a complete prune the devices have what the index has, and no more of it is unused than may be."""
        assert (done.exit_code, done.waiting) == (0, {}), (done, self.run.troubles)
        assert self.stored() == self.indexed()
        stored_bytes = sum(self.catalog.objects.bytes_on(row.device_id) for row in self.devices())
        assert done.bytes_unused is not None
        used_bytes = stored_bytes - done.bytes_unused
        assert limits.is_unlimited or done.bytes_unused <= limits.allowed_unused_bytes(used_bytes), (done, stored_bytes)

    @contextmanager
    def killed_at(self, number: int, *kinds: type, carried_out: bool) -> Iterator[None]:
        """The manager dies at the ``number``-th order of these kinds, if there are as many."""
        left = number

        def before(order: Order) -> None:
            nonlocal left
            left -= isinstance(order, kinds)
            if left == 0:
                left -= 1
                if carried_out:
                    self.run.carry_out(order)
                raise Killed

        self.run.before = before
        try:
            yield
        except Killed:
            pass
        finally:
            self.run.before = lambda order: None
