"""What a backup does about devices that are gone when everything is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kit.models.offline import Answer, Devices, Offline, backup_request, report
from kit.tree import Tree, noise
from producer.backup.summary import backup_summary
from producer.backup.whole import Whole
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.manifest import decode_head, head_name
from producer.summaries import BackupSummary
from tasks.errors import Reason
from tasks.orders import DescribeDevice, Order, PutManifest, StoreSegment
from tasks.receipts import Failure

FULL = Failure(reason=Reason.FULL, code="device-full", message="No space left on device", hint="")
BROKEN = Failure(reason=Reason.DEVICE, code="device", message="Input/output error", hint="")
GONE = report(condition="missing", detail="/devices/a does not exist")

#: One segment each.
FILES = {f"{n:02}": noise(60_000, seed=n) for n in range(6)}


class Backup:
    """A backup of six files to a and b, planned."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.source = Tree(FILES).make(folder / "data")
        self.run = Offline(catalog, ["a", "b"], Devices({"data": self.source}))
        self.request = backup_request({"data": self.source}, bundle=False)
        self.intake = self.run.plan(self.request)
        self.run.wires.answers = self.answer
        self.whole = Whole(self.run.session, self.request, self.intake, self.run.state)
        #: Instead of what the devices would say; None: that.
        self.says: Callable[[Order], Answer] = lambda order: None

    def answer(self, order: Order) -> Answer:
        said = self.says(order)
        return self.run.devices.answer(order) if said is None else said

    def back_up(self) -> BackupSummary:
        self.whole.store()
        self.whole.seal()
        return backup_summary(self.run.session, self.intake, self.run.state, 0.0)

    def rows_on(self, device: str) -> list[SegmentRow]:
        return [row for row in self.run.catalog.segments.stored(self.intake.snapshot_id) if row.device == device]


@pytest.fixture
def backup(catalog: Catalog, tmp_path: Path) -> Backup:
    return Backup(catalog, tmp_path)


def describes(order: Order, device: str) -> bool:
    return order.device == device and isinstance(order, DescribeDevice)


def test_what_lies_on_a_device_that_is_gone_is_stored_again_on_the_other(backup: Backup) -> None:
    backup.says = lambda order: GONE if describes(order, "a") else None
    summary = backup.back_up()

    assert (summary.exit_code, summary.incomplete, summary.errors) == (0, (), 0)
    assert (summary.devices["a"].segments, summary.devices["b"].segments) == (0, 6)
    assert backup.run.devices.segments["b"].keys() == {row.segment_id for row in backup.rows_on("b")}
    assert backup.run.observer.trouble_codes == ["device-dead"]


def test_when_all_devices_are_there_nothing_is_stored_twice(backup: Backup) -> None:
    summary = backup.back_up()
    assert (summary.exit_code, summary.incomplete) == (0, ())
    assert len([order for order in backup.run.wires.sent if isinstance(order, StoreSegment)]) == 6
    assert all(backup.run.devices.segments[name] for name in "ab")


def test_what_fits_nowhere_is_named_and_the_snapshot_is_sealed_as_incomplete(backup: Backup) -> None:
    def says(order: Order) -> Answer:
        if describes(order, "a"):
            return GONE
        if describes(order, "b"):
            return replace(backup.run.devices.reports["b"], free_bytes=30_000)
        return None

    backup.says = says
    summary = backup.back_up()

    (lack,) = summary.incomplete
    assert summary.exit_code == 3
    assert (lack.device, lack.files, lack.bytes, summary.errors) == ("a", 3, 180_000, 3)
    told = [trouble for trouble in backup.run.observer.troubles if trouble.code == "incomplete"]
    assert len(told) == 4
    assert {Path(trouble.path).name for trouble in told[1:]} == {
        f"{row.first_entry - 1:02}" for row in backup.rows_on("a")
    }
    head = decode_head(backup.run.devices.files["b"][head_name(backup.intake.snapshot_id)])
    assert [(row.files_count, row.bytes_source) for row in head.incomplete] == [(3, 180_000)]


def test_a_device_that_fills_up_over_it_stays_in_the_run_and_takes_the_manifest(backup: Backup) -> None:
    def says(order: Order) -> Answer:
        if describes(order, "a"):
            return GONE
        is_full = order.device == "b" and len(backup.run.devices.segments["b"]) >= 4
        return FULL if is_full and isinstance(order, StoreSegment) else None

    backup.says = says
    summary = backup.back_up()

    assert summary.exit_code == 3
    assert summary.devices["b"].state == "live"
    assert summary.incomplete[0].files == 2
    assert head_name(backup.intake.snapshot_id) in backup.run.devices.files["b"]


def test_a_device_that_became_read_only_lacks_nothing_though_the_others_have_no_room(backup: Backup) -> None:
    def says(order: Order) -> Answer:
        known = backup.run.devices.reports
        if describes(order, "a"):
            return replace(known["a"], condition="unwritable", detail="Read-only file system")
        return replace(known["b"], free_bytes=0) if describes(order, "b") else None

    backup.says = says
    summary = backup.back_up()
    assert (summary.exit_code, summary.incomplete) == (0, ())
    assert summary.devices["a"].state == "dead"
    assert summary.devices["a"].segments == 3


def test_a_device_that_is_lost_over_its_manifest_is_replaced_before_the_seal(backup: Backup) -> None:
    is_lost = False

    def says(order: Order) -> Answer:
        nonlocal is_lost
        is_lost = is_lost or (order.device == "a" and isinstance(order, PutManifest))
        if not is_lost or order.device != "a":
            return None
        return GONE if isinstance(order, DescribeDevice) else BROKEN

    backup.says = says
    summary = backup.back_up()

    assert (summary.exit_code, summary.incomplete) == (0, ())
    assert summary.devices["b"].segments == 6
    head = decode_head(backup.run.devices.files["b"][head_name(backup.intake.snapshot_id)])
    assert {device.name: device.segments_count for device in head.devices} == {"a": 0, "b": 6}
