"""Two runs that meet the same empty devices at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Answer, Devices, Offline, backup_request, report
from kit.tree import Tree
from producer.backup.intake.take_in import take_in
from producer.catalog.catalog import Catalog
from producer.ownership.lock_holder import NEW_DEVICES, LockHolder
from producer.pool.decide import decide_pool
from producer.pool.device_reports import adopt_devices, ask_for_reports
from tasks.errors import DeviceError, Reason
from tasks.orders import AdoptDevice, DescribeDevice, Order
from tasks.receipts import DeviceReport, Failure

THEIRS = "1" * 32


def taken_in_by_others(device: str) -> DeviceReport:
    return report(
        condition="ready", device_id=device * 32, pool_id=THEIRS, marker_name=device, root_identity=(1, ord(device))
    )


class Contested(Devices):
    """Empty when they are asked first; then another run takes some of them in."""

    def __init__(self, sources: dict[str, Path], lost: str) -> None:
        super().__init__(sources)
        self._lost = lost
        self._asked: set[str] = set()

    def answer(self, order: Order) -> Answer:
        if isinstance(order, DescribeDevice) and order.device in self._asked and order.device in self._lost:
            self.reports[order.device] = taken_in_by_others(order.device)
        self._asked.add(order.device)
        self.reports.setdefault(order.device, report(root_identity=(1, ord(order.device))))
        return super().answer(order)


@pytest.fixture
def source(tmp_path: Path) -> dict[str, Path]:
    return {"data": Tree({"a": b"1"}).make(tmp_path / "data")}


@pytest.fixture
def contested(catalog: Catalog, source: dict[str, Path]) -> Offline:
    return Offline(catalog, ["a", "b"], Contested(source, lost="a"))


def test_devices_that_another_run_has_taken_in_meanwhile_are_joined(
    contested: Offline, source: dict[str, Path], catalog: Catalog
) -> None:
    intake = take_in(contested.session, backup_request(source))

    assert intake.members["a"].device_id == "a" * 32
    assert {row.pool_id for row in catalog.devices.all()} == {THEIRS}
    assert [order.device for order in contested.wires.sent if isinstance(order, AdoptDevice)] == ["b"]


def test_a_device_bears_the_id_of_its_marker_whoever_wrote_it(catalog: Catalog, source: dict[str, Path]) -> None:
    run = Offline(catalog, ["a"], Devices(source))

    def faster(order: Order) -> Answer | None:
        # In the same pool, and a moment before this run.
        if isinstance(order, AdoptDevice):
            run.devices.reports["a"] = report(condition="ready", device_id="c" * 32, pool_id=order.pool_id)
            return run.devices.reports["a"]
        return run.devices.answer(order)

    run.wires.answers = faster
    intake = take_in(run.session, backup_request(source, "a"))

    assert intake.members["a"].device_id == "c" * 32
    assert [row.device_id for row in catalog.devices.all()] == ["c" * 32]


def test_the_first_device_of_a_new_pool_goes_alone_and_a_refusal_there_leaves_the_others_as_they_are(
    catalog: Catalog, source: dict[str, Path]
) -> None:
    run = Offline(catalog, ["b", "a", "c"], Devices(source))
    decision = decide_pool(ask_for_reports(run.session).wait(), run.session.paths, ())
    refusal = Failure(reason=Reason.DEVICE, code="not-a-device", message="belongs to another pool", hint="")
    run.wires.answers = lambda order: refusal

    with pytest.raises(DeviceError, match="device a: belongs to another pool"):
        adopt_devices(run.session, decision)

    assert [order.device for order in run.wires.sent if isinstance(order, AdoptDevice)] == ["a"]


def test_new_devices_are_met_by_one_run_at_a_time(catalog: Catalog, source: dict[str, Path], tmp_path: Path) -> None:
    run = Offline(catalog, ["a"], Devices(source))
    location = f"sqlite:///{tmp_path / 'state' / 'catalog.sqlite'}"
    seen = []

    def note_lock(order: Order) -> Answer | None:
        if isinstance(order, AdoptDevice):
            seen.append(catalog.locks.get(NEW_DEVICES))
        return run.devices.answer(order)

    run.wires.answers = note_lock
    with LockHolder(catalog, location) as holder:
        take_in(replace(run.session, holder=holder), backup_request(source, "a"))
        assert catalog.locks.all() == []

    [lock] = seen
    assert lock is not None
    assert lock.purpose == "first use of a by home"
