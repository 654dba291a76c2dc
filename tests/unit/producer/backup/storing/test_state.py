"""The state of a running backup: a device's load is the sum of what the catalog assigns to it, whatever happens."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from kit.models.offline import Answer, Devices, Offline, backup_request
from kit.tree import Tree, noise
from producer.backup.storing.prepare import prepare_storing
from producer.catalog.catalog import Catalog
from tasks.errors import Reason
from tasks.orders import Order, StoreSegment
from tasks.receipts import Failure

FULL = Failure(reason=Reason.FULL, code="device-full", message="No space left on device", hint="")


class Storing:
    """A backup of eleven segments to a, b and c."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        source = Tree({f"{n:02}": noise(60_000, seed=n) for n in range(11)}).make(folder / "data")
        self.run = Offline(catalog, ["a", "b", "c"], Devices({"data": source}))
        request = backup_request({"data": source}, "a b c", bundle=False)
        self.intake = self.run.plan(request)
        self.state = self.run.state
        self.storing = prepare_storing(self.run.session, request, self.intake, self.state)

    def assigned(self) -> dict[str, tuple[int, int]]:
        """Device → bytes and segments, as the catalog has them."""
        sizes: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for row in self.run.catalog.segments.valid(self.intake.snapshot_id):
            sizes[row.device] += row.size_bytes
            counts[row.device] += 1
        return {name: (sizes[name], counts[name]) for name in self.intake.members}

    def loads(self) -> dict[str, tuple[int, int]]:
        shares = {name: self.state.share(name) for name in self.intake.members}
        return {name: (share.load_bytes, share.load_count) for name, share in shares.items()}


@pytest.fixture
def backup(catalog: Catalog, tmp_path: Path) -> Storing:
    return Storing(catalog, tmp_path)


def test_failures_of_a_lost_device_that_come_together_move_its_segments_once(backup: Storing) -> None:
    def answer(order: Order) -> Answer:
        if order.device == "a" and isinstance(order, StoreSegment):
            return FULL
        return backup.run.devices.answer(order)

    backup.run.wires.answers = answer
    backup.storing.run()

    assert backup.state.load_bytes("a") == 0
    assert backup.loads() == backup.assigned()
    assert all(backup.state.share(name).is_finished for name in "abc")


def test_only_what_is_still_assigned_to_the_device_moves(backup: Storing) -> None:
    mine, other = (backup.state.unfinished(name)[0].number for name in "ab")
    backup.state.move("a", {mine: "c", other: "c"})
    backup.state.move("a", {mine: "b"})

    rows = {row.number: row.device for row in backup.run.catalog.segments.valid(backup.intake.snapshot_id)}
    assert (rows[mine], rows[other]) == ("c", "b")
    assert backup.loads() == backup.assigned()


def test_what_is_stored_does_not_move(backup: Storing) -> None:
    backup.storing.run()
    before = backup.assigned()
    numbers = [row.number for row in backup.run.catalog.segments.valid(backup.intake.snapshot_id) if row.device == "a"]
    backup.state.move("a", dict.fromkeys(numbers, "b"))
    assert backup.loads() == backup.assigned() == before


def test_what_is_stored_again_counts_for_its_new_device_and_what_is_put_back_for_the_old_one(backup: Storing) -> None:
    backup.storing.run()
    before = list(backup.run.catalog.segments.valid(backup.intake.snapshot_id))
    on_a = [row for row in before if row.device == "a"]
    backup.state.store_again(on_a, {row.number: "b" for row in on_a})
    assert backup.loads() == backup.assigned()
    assert backup.state.load_bytes("a") == 0
    assert not backup.state.share("b").is_finished

    backup.state.put_back([row.number for row in on_a])
    assert list(backup.run.catalog.segments.valid(backup.intake.snapshot_id)) == before
    assert backup.loads() == backup.assigned()
    assert all(backup.state.share(name).is_finished for name in "abc")


def test_what_has_been_stored_again_is_not_put_back(backup: Storing) -> None:
    backup.storing.run()
    rows = [row for row in backup.run.catalog.segments.valid(backup.intake.snapshot_id) if row.device == "a"]
    backup.state.store_again(rows, {row.number: "b" for row in rows})
    backup.storing.run()

    assert backup.state.displaced == {}
    assert backup.assigned()["a"] == (0, 0)
    assert backup.loads() == backup.assigned()
