"""What a backup does about devices that are gone when everything is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Answer, Devices, Offline, backup_request, report
from kit.tree import Tree, noise
from producer.backup.summary import backup_summary
from producer.backup.whole.whole import Whole
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.manifest import decode_head, head_name
from producer.restore.planning.plan import RestorePlan
from producer.restore.planning.selection import Selection
from producer.summaries import BackupSummary
from tasks.errors import DeviceError, Reason
from tasks.orders import DescribeDevice, Order, PutManifest, StoreSegment
from tasks.receipts import ExtentNote, Failure

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

    def stored_on(self, device: str) -> set[str]:
        """The segments of the objects that the index has of the device, which are all that it holds."""
        held = {
            row.object_id: row.segment_id
            for row in self.run.catalog.objects.on_device(self.intake.members[device].device_id)
        }
        assert self.run.devices.segments[device].keys() == held.keys()
        return set(held.values())


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
    assert backup.stored_on("b") == {row.segment_id for row in backup.rows_on("b")}
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


def dies_with_its_work(backup: Backup) -> Callable[[Order], Answer]:
    """Device a dies before it has stored anything, and b has room for its own share only."""

    def says(order: Order) -> Answer:
        if order.device == "a":
            return GONE if isinstance(order, DescribeDevice) else BROKEN
        if isinstance(order, DescribeDevice):
            return replace(backup.run.devices.reports["b"], free_bytes=30_000)
        if isinstance(order, StoreSegment):
            backup.run.devices.segments["b"][order.object_id] = order
            return backup.run.devices.stored(order, free_bytes=30_000)
        return None

    return says


def test_work_of_a_dead_device_that_fits_nowhere_is_named_and_the_snapshot_is_sealed(backup: Backup) -> None:
    backup.says = dies_with_its_work(backup)
    summary = backup.back_up()

    (lack,) = summary.incomplete
    assert (summary.exit_code, summary.errors) == (3, lack.files)
    assert (lack.device, lack.files, lack.bytes) == ("a", 3, 180_000)
    told = [trouble for trouble in backup.run.observer.troubles if trouble.code == "incomplete"]
    omitted = backup.run.catalog.segments.omitted(backup.intake.snapshot_id)
    assert {Path(one.path).name for one in told if one.path} == {f"{row.first_entry - 1:02}" for row in omitted}
    assert backup.run.catalog.snapshots.get(backup.intake.snapshot_id).state == "sealed"
    head = decode_head(backup.run.devices.files["b"][head_name(backup.intake.snapshot_id)])
    assert [(row.omitted_files_count, row.omitted_bytes_source) for row in head.incomplete] == [(3, 180_000)]
    assert head.totals.segments_count == 3


def test_a_restore_knows_what_the_snapshot_was_sealed_without(backup: Backup) -> None:
    backup.says = dies_with_its_work(backup)
    backup.back_up()
    catalog = backup.run.catalog
    wanted = RestorePlan(catalog, catalog.snapshots.get(backup.intake.snapshot_id), Selection.of("", (), ())).wanted
    omitted = backup.run.catalog.segments.omitted(backup.intake.snapshot_id)
    assert wanted.not_stored == {row.first_entry for row in omitted}
    assert "could not store it: device a died" in str(wanted.unread[omitted[0].first_entry].holes[0])


def test_work_that_waited_for_a_dead_device_is_stored_when_it_is_back_before_the_seal(backup: Backup) -> None:
    dead, asked_count = dies_with_its_work(backup), 0

    def says(order: Order) -> Answer:
        nonlocal asked_count
        answer = dead(order)
        asked_count += answer is GONE
        # The first answer makes it dead, the second one comes before the seal.
        return None if order.device == "a" and (asked_count > 1 or (asked_count and answer is BROKEN)) else answer

    backup.says = says
    summary = backup.back_up()
    assert (summary.exit_code, summary.incomplete) == (0, ())
    assert summary.devices["a"].segments == 3


def test_when_the_seal_fails_what_it_left_out_is_planned_again_by_the_next_run(backup: Backup) -> None:
    usual = dies_with_its_work(backup)
    backup.says = lambda order: BROKEN if isinstance(order, PutManifest) else usual(order)
    with pytest.raises(DeviceError):
        backup.back_up()
    backup.run.catalog.transitions.reopen(backup.intake.snapshot_id)
    states = {row.state for row in backup.run.catalog.segments.valid(backup.intake.snapshot_id)}
    assert states == {"planned", "stored"}


def test_what_an_emptied_device_has_no_more_is_stored_again(backup: Backup) -> None:
    is_emptied = False

    def says(order: Order) -> Answer:
        nonlocal is_emptied
        if describes(order, "a") and not is_emptied:
            is_emptied = True
            backup.run.devices.segments["a"].clear()
        return None

    backup.says = says
    summary = backup.back_up()
    assert (summary.exit_code, summary.incomplete) == (0, ())
    assert summary.devices["a"].segments + summary.devices["b"].segments == 6
    for device in "ab":
        assert backup.stored_on(device) == {row.segment_id for row in backup.rows_on(device)}


def test_what_an_emptied_device_has_no_more_is_named_when_it_fits_nowhere(backup: Backup) -> None:
    def says(order: Order) -> Answer:
        if describes(order, "a"):
            backup.run.devices.segments["a"].clear()
        if isinstance(order, DescribeDevice):
            return replace(backup.run.devices.reports[order.device], free_bytes=0)
        return None

    backup.says = says
    summary = backup.back_up()
    assert summary.exit_code == 3
    assert [(lack.device, lack.files, lack.bytes) for lack in summary.incomplete] == [("a", 3, 180_000)]


def test_sources_that_are_gone_do_not_replace_what_lies_on_a_device_that_is_gone(backup: Backup) -> None:
    def says(order: Order) -> Answer:
        if describes(order, "a"):
            return GONE
        if isinstance(order, StoreSegment) and len(backup.run.devices.segments["b"]) == 3:
            note = ExtentNote(index=0, read_bytes=0, trouble="vanished", message="No such file or directory")
            return backup.run.devices.stored(order, notes=(note,))
        return None

    backup.says = says
    summary = backup.back_up()
    assert [(lack.device, lack.files) for lack in summary.incomplete] == [("a", 3)]
    assert "vanished" not in backup.run.observer.trouble_codes
    assert len(backup.rows_on("a")) == 3
