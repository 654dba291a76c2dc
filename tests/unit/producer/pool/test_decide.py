"""Which devices take part in a run, whatever they say of themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.models.offline import GIB, report
from producer.pool.decide import PoolDecision, decide_pool, refuse_new
from producer.pool.known import KnownDevice
from tasks.errors import NotADeviceError, SegfleetError, UsageError
from tasks.receipts import DeviceReport

OURS, OTHERS = "1" * 32, "2" * 32


NEW_DISK = "For a new disk: segfleet devices replace b=/mnt/b"


def ready(digit: str, pool_id: str = OURS, **fields: Any) -> DeviceReport:
    return report(condition="ready", device_id=digit * 32, pool_id=pool_id, **fields)


def known(name: str, **fields: Any) -> KnownDevice:
    """A device that was in /mnt/NAME, on a file system of its own."""
    common = {"device_id": name[0] * 32, "pool_id": OURS, "path": f"/mnt/{name}", "mount_point": f"/mnt/{name}"}
    return KnownDevice(**{"name": name, **common, **fields})


def decide(*known: KnownDevice, **reports: DeviceReport) -> PoolDecision:
    paths = {name: Path("/mnt") / name for name in reports}
    return decide_pool(reports, paths, known)


def test_empty_folders_make_a_new_pool_and_each_gets_an_id_of_its_own() -> None:
    decision = decide(a=report(), b=report())
    assert (decision.ready, decision.absent) == ({}, {})
    ids = {decision.pool_id, *decision.adopt.values()}
    assert set(decision.adopt) == {"a", "b"}
    assert len(ids) == 3
    assert all(len(value) == 32 and int(value, 16) for value in ids)


def test_an_empty_folder_joins_the_pool_of_the_others() -> None:
    decision = decide(a=ready("a"), b=report())
    assert decision.pool_id == OURS
    assert decision.ready == {"a": "a" * 32}
    assert set(decision.adopt) == {"b"}


def test_a_device_under_a_new_name_is_the_device_that_its_marker_says() -> None:
    assert decide(renamed=ready("a", marker_name="a")).ready == {"renamed": "a" * 32}


@pytest.mark.parametrize(
    ("its_report", "why"),
    [
        (report(condition="missing", detail="/mnt/b does not exist"), "/mnt/b does not exist"),
        (report(condition="unwritable", detail="/mnt/b: read-only file system"), "/mnt/b: read-only file system"),
        (report(mount_point="/mnt/b"), f"/mnt/b is empty; is the device mounted? {NEW_DISK}"),
        (
            report(mount_point="/"),
            f"/mnt/b is empty; is the device mounted? (the folder is on the file system at /) {NEW_DISK}",
        ),
        (report(), f"/mnt/b is empty; is the device mounted? {NEW_DISK}"),
    ],
    ids=["missing", "read-only", "emptied, or another disk", "not mounted", "on nobody knows which file system"],
)
def test_a_known_device_that_cannot_be_used_is_absent_and_the_others_go_on(its_report: DeviceReport, why: str) -> None:
    decision = decide(known("a"), known("b"), a=ready("a"), b=its_report)
    assert decision.ready == {"a": "a" * 32}
    assert decision.adopt == {}
    assert decision.absent == {"b": why}


#: What is known, and what the folder /mnt/b, named as device b, is: an empty one; a is there, with its marker.
@pytest.mark.parametrize(
    ("others", "mount_point", "is_new"),
    [
        ([], "/", True),
        ([known("b", path="/media/b")], "/mnt/b", False),
        ([known("b", path="/media/b", pool_id=OTHERS)], "/mnt/b", True),
        ([known("b", pool_id=OTHERS)], "/mnt/b", False),
        ([known("old", path="/mnt/b", mount_point="/mnt/b")], "/", False),
        ([known("old", path="/mnt/b", mount_point="/mnt/b")], "/mnt/b", True),
        ([known("old", path="/mnt/b", mount_point="/")], "/", True),
        ([known("old", path="/mnt/b", mount_point="/")], "/mnt/b", True),
        ([known("old", path="/mnt/b", mount_point="")], "/", True),
        ([known("b", device_id="a" * 32, path="/media/b")], "/mnt/b", True),
        ([known("b", is_lost=True)], "/mnt/b", True),
        ([known("b", is_lost=True, path="/media/b")], "/", True),
        ([known("b", is_lost=True)], "/", False),
    ],
    ids=[
        "nothing is known of the name and the folder",
        "the pool has a device of this name, which was elsewhere",
        "another pool has a device of this name elsewhere",
        "the device of another pool was in this folder",
        "another device was here, on a file system that is not mounted",
        "another device was here, and another disk is mounted now",
        "another device was here, on the same file system",
        "another device was here, and a disk is mounted over it",
        "another device was here, on nobody knows which file system",
        "the device of this name is there, under another name",
        "the device is lost, and another disk is mounted now",
        "the device is lost, and was elsewhere",
        "the device is lost, and no disk is mounted where it was",
    ],
)
def test_an_empty_folder_is_a_new_device_only_if_it_cannot_be_one_that_is_away(
    others: list[KnownDevice], mount_point: str, is_new: bool
) -> None:
    decision = decide(known("a"), *others, a=ready("a"), b=report(mount_point=mount_point))
    assert ("b" in decision.adopt, "b" in decision.absent) == (is_new, not is_new)


def test_twin_disks_of_the_same_size_do_not_hide_that_one_is_not_mounted() -> None:
    twin = report(capacity_bytes=100 * GIB, mount_point="/")
    assert decide(known("a"), known("b"), a=ready("a", capacity_bytes=100 * GIB), b=twin).absent.keys() == {"b"}


@pytest.mark.parametrize(
    ("its_report", "error", "message"),
    [
        (report(condition="foreign"), NotADeviceError, "/mnt/b is not empty and has no segfleet.json"),
        (report(condition="newer", detail="format version 9"), NotADeviceError, "format version 9"),
        (report(condition="damaged", detail="not JSON"), NotADeviceError, "not JSON"),
        (report(condition="missing", detail="no such folder"), NotADeviceError, "no such folder"),
        (report(condition="unwritable", detail="permission denied"), NotADeviceError, "permission denied"),
        (ready("b", OTHERS), NotADeviceError, "different pools (pool 11111111: a; pool 22222222: b)"),
        (ready("b", root_identity=(7, 7)), UsageError, "devices a and b are the same folder: /mnt/b"),
        (report(root_identity=(7, 7)), UsageError, "devices a and b are the same folder: /mnt/b"),
        (ready("a"), UsageError, "devices a (/mnt/a) and b (/mnt/b) are the same device aaaaaaaa: one is a copy"),
    ],
    ids=[
        *("foreign", "newer", "damaged", "missing", "unwritable", "other pool"),
        *("same folder", "same empty folder", "copy"),
    ],
)
def test_what_a_person_has_to_settle_is_refused_and_says_where(
    its_report: DeviceReport, error: type[SegfleetError], message: str
) -> None:
    with pytest.raises(error) as caught:
        decide(a=ready("a", root_identity=(7, 7)), b=its_report)
    assert message in caught.value.message
    assert "b" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("condition", ["foreign", "newer", "damaged"])
def test_a_known_device_whose_folder_holds_something_else_is_refused_all_the_same(condition: str) -> None:
    with pytest.raises(NotADeviceError):
        decide(known("b"), a=ready("a"), b=report(condition=condition))


def test_a_device_that_can_only_be_read_is_neither_ready_nor_absent() -> None:
    its_report = report(condition="unwritable", device_id="b" * 32, pool_id=OURS, detail="/mnt/b: read-only")
    decision = decide(known("a"), known("b"), a=ready("a"), b=its_report)
    assert (decision.ready, decision.absent) == ({"a": "a" * 32}, {})
    assert decision.read_only == {"b": "/mnt/b: read-only"}
    # Also where it was not seen before: its marker says what it is.
    assert decide(known("a"), known("b", path="/media/b"), a=ready("a"), b=its_report).read_only.keys() == {"b"}


def test_when_no_device_can_be_written_each_is_named() -> None:
    its_report = report(condition="unwritable", device_id="a" * 32, pool_id=OURS, detail="/mnt/a: read-only")
    with pytest.raises(NotADeviceError, match="no device of the pool can be written: a: /mnt/a: read-only; b: gone"):
        decide(known("a"), known("b"), a=its_report, b=report(condition="missing", detail="gone"))


def test_a_read_only_device_of_another_pool_is_refused() -> None:
    its_report = report(condition="unwritable", device_id="b" * 32, pool_id=OTHERS, detail="/mnt/b: read-only")
    with pytest.raises(NotADeviceError, match="different pools"):
        decide(known("a"), known("b", pool_id=OTHERS), a=ready("a"), b=its_report)


@pytest.mark.parametrize("condition", ["missing", "unwritable"])
def test_folders_that_could_not_be_opened_are_not_taken_for_one_folder(condition: str) -> None:
    nowhere = report(condition=condition, root_identity=(0, 0))
    decision = decide(known("b"), known("c"), a=ready("a"), b=nowhere, c=nowhere)
    assert decision.absent.keys() == {"b", "c"}


def test_new_devices_that_cannot_be_used_are_all_named_each_with_its_error() -> None:
    failing = {name: report(condition="unwritable", detail=f"/mnt/{name}: EIO", root_identity=(0, 0)) for name in "bc"}
    with pytest.raises(NotADeviceError, match="device b: /mnt/b: EIO; device c: /mnt/c: EIO"):
        decide(a=ready("a"), **failing)


def test_a_copy_that_takes_the_place_of_the_original_is_accepted_alone() -> None:
    assert decide(known("a"), a=report(condition="missing"), b=ready("a")).ready == {"b": "a" * 32}


def test_without_any_device_the_run_ends_and_names_each() -> None:
    gone = report(condition="missing", detail="no such folder", root_identity=(0, 0))
    with pytest.raises(NotADeviceError, match="no device of the pool is available: a: no such folder; b: no such"):
        decide(known("a"), known("b"), a=gone, b=gone)


def test_new_devices_are_refused_by_name_where_only_known_ones_may_be_used() -> None:
    paths = {"a": Path("/mnt/a"), "b": Path("/mnt/b")}
    refuse_new(decide(a=ready("a")), paths)
    with pytest.raises(NotADeviceError, match="may be used, and these folders are empty: a: /mnt/a; b: /mnt/b"):
        # In the order of their names, anyone who answers first.
        refuse_new(decide(b=report(), a=report()), paths)
