"""A device whose order failed is asked how it is: until it answers, the catalog has it as suspect."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Answer, Devices, Offline, backup_request
from kit.tree import Tree, noise
from producer.backup.storing.prepare import prepare_storing
from producer.catalog.catalog import Catalog
from producer.catalog.tables.devices import DeviceRow
from tasks.errors import Reason
from tasks.orders import DescribeDevice, Order, StoreSegment
from tasks.receipts import Failure

BROKEN = Failure(reason=Reason.DEVICE, code="device", message="Input/output error", hint="")


class Probing:
    """A backup to a and b; every order that a gets fails, and it says nothing of itself until the test lets it."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        source = Tree({"large": noise(500_000)}).make(folder / "data")
        self.run = Offline(catalog, ["a", "b"], Devices({"data": source}))
        request = backup_request({"data": source})
        intake = self.run.plan(request)
        self.of_a: Answer = None
        self.run.wires.answers = self._answer
        session = self.run.session
        self.storing = prepare_storing(session, request, intake, self.run.state)

    def _answer(self, order: Order) -> Answer:
        if order.device == "a" and isinstance(order, StoreSegment):
            return BROKEN
        if order.device == "a" and isinstance(order, DescribeDevice):
            return self.of_a
        return self.run.devices.answer(order)

    def turn_until(self, holds: Callable[[DeviceRow], bool]) -> DeviceRow:
        for _ in range(100):
            self.storing.turn()
            row = self.run.catalog.devices.by_name("a")
            assert row is not None
            if holds(row):
                return row
        raise AssertionError(f"after 100 turns: {row}")


@pytest.fixture
def probing(catalog: Catalog, tmp_path: Path) -> Probing:
    return Probing(catalog, tmp_path)


def test_while_a_device_is_asked_how_it_is_it_is_suspect_and_then_live_again(probing: Probing) -> None:
    suspect = probing.turn_until(lambda row: row.state != "live")
    probing.of_a = probing.run.devices.reports["a"]
    live = probing.turn_until(lambda row: row.state != "suspect")

    assert (suspect.state, suspect.reason) == ("suspect", "Input/output error")
    assert (live.state, live.reason) == ("live", "")


def test_a_suspect_that_is_not_well_is_dead(probing: Probing) -> None:
    probing.turn_until(lambda row: row.state == "suspect")
    probing.of_a = replace(probing.run.devices.reports["a"], condition="unwritable", detail="read-only")
    lost = probing.turn_until(lambda row: row.state != "suspect")

    assert (lost.state, lost.reason) == ("dead", "Input/output error (read-only)")
