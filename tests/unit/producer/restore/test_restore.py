"""A restore whose workers end in the middle: what they were to bring back is told, whatever the moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kit.models.offline import Answer, Devices, Offline, backup_request
from kit.tree import Tree, noise
from producer.backup.sealing.seal import seal
from producer.catalog.catalog import Catalog
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.restore_run import RestoreRun
from producer.run.wave import run_wave
from producer.summaries import RestoreSummary
from tasks.errors import DeviceError
from tasks.orders import DescribeDevice, GetManifest, Order, RestoreEntries, RestoreSegment
from tasks.receipts import RestoreResult

KIB = 1024
#: Eight segments on two devices.
TREE = Tree({f"f{number}": noise(40 * KIB, number) for number in range(8)})
ALL_FILES = {f"home/f{number}" for number in range(8)}
DONE = RestoreResult(files_count=0, bytes_restored=0, skipped_count=0, troubles=())


class Restoring:
    """A sealed snapshot on a and b, and a run that restores it; ``at`` sees each order before it is answered."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        sources = {"home": TREE.make(folder / "home")}
        self.devices = Devices(sources)
        backup = Offline(catalog, ["a", "b"], self.devices)
        request = backup_request(sources)
        intake = backup.plan(request)
        backup.store(intake)
        seal(
            backup.session,
            catalog.snapshots.get(intake.snapshot_id),
            request.plan,
            intake.members,
        )
        self.run = Offline(catalog, ["a", "b"], self.devices)
        self.run.wires.answers = self._answer
        self.at: Callable[[Order], None] = lambda order: None
        self.orders: list[Order] = []

    def _answer(self, order: Order) -> Answer:
        self.at(order)
        if order.device in self.run.processes.ended:
            return None
        self.orders.append(order)
        return self.devices.answer(order) if isinstance(order, DescribeDevice | GetManifest) else DONE

    def restore(self) -> RestoreSummary:
        request = RestoreRequest(
            snapshot="latest",
            path="",
            target=Path("/target"),
            target_name=UNNAMED_TARGET,
            devices={},
            include=(),
            exclude=(),
            overwrite=None,
            skip_damaged=False,
        )
        return RestoreRun(self.run.session, request).run(0.0)

    def files_told(self) -> set[str]:
        return {trouble.path for trouble in self.run.observer.troubles if trouble.path}

    def files_ordered(self) -> set[str]:
        return {path for order in self.orders if isinstance(order, RestoreSegment) for path in order.paths}


@pytest.fixture
def restoring(catalog: Catalog, tmp_path: Path) -> Restoring:
    return Restoring(catalog, tmp_path)


@pytest.mark.parametrize("device", ["a", "b"])
def test_what_lies_on_a_device_whose_worker_ends_while_the_target_is_made_is_told(
    restoring: Restoring, device: str
) -> None:
    def end_the_worker(order: Order) -> None:
        if isinstance(order, RestoreEntries):
            restoring.run.processes.kill(device)

    restoring.at = end_the_worker

    summary = restoring.restore()

    assert summary.exit_code == 3
    assert 0 < len(restoring.files_told()) < 8
    assert restoring.files_told() | restoring.files_ordered() == ALL_FILES
    assert not restoring.files_told() & restoring.files_ordered()


def test_without_any_worker_left_a_restore_fails_instead_of_leaving_out_folders_and_links(restoring: Restoring) -> None:
    def end_all(order: Order) -> None:
        if isinstance(order, RestoreSegment):
            restoring.run.processes.ended |= {"a": "signal SIGKILL", "b": "signal SIGKILL"}

    restoring.at = end_all

    with pytest.raises(DeviceError, match="no device is left"):
        restoring.restore()
    assert restoring.files_told() == ALL_FILES


def test_a_wave_says_which_of_its_devices_had_died_before_it(restoring: Restoring) -> None:
    session = restoring.run.session
    session.courier.drop("b")
    order = DescribeDevice(order_id="0" * 32, **session.order_fields("b"))

    died = run_wave(session, {"b": [order]}, lambda order, receipt: pytest.fail("nobody can have answered"))

    assert died.keys() == {"b"}
