"""The devices of a run, as they are recorded and remembered."""

from __future__ import annotations

from pathlib import Path

from kit.models.offline import report
from producer.backup.summary import device_totals
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.totals import SegmentTotals
from producer.pool.decide import PoolDecision
from producer.pool.known import known_devices, known_where_named
from producer.pool.members import Member, record_members, record_returned
from tasks.receipts import DeviceReport

POOL = "1" * 32

#: Device id → the epoch in the broker.
PUBLISHED = {"e" * 32: 7}


def ready(digit: str, **fields: object) -> DeviceReport:
    return report(condition="ready", device_id=digit * 32, pool_id=POOL, **fields)


def record(catalog: Catalog, names: str, **reports: DeviceReport) -> dict[str, Member]:
    ids = {name: its.device_id for name, its in reports.items()}
    decision = PoolDecision(pool_id=POOL, ready=ids, adopt={}, absent={})
    paths = {name: Path("/mnt") / name for name in names.split()}
    return record_members(catalog, decision, reports, paths, lambda device_id: PUBLISHED.get(device_id, 0))


def test_members_come_in_the_order_in_which_they_were_named_without_those_that_are_away(catalog: Catalog) -> None:
    members = record(catalog, "c gone a b", a=ready("a"), b=ready("b"), c=ready("c"))
    assert list(members) == ["c", "a", "b"]
    assert all(member.is_live for member in members.values())


def test_a_device_keeps_the_epoch_at_which_it_was_fenced_last(catalog: Catalog) -> None:
    assert record(catalog, "a", a=ready("a"))["a"].epoch == 0
    catalog.devices.raise_epoch("a" * 32)
    catalog.devices.raise_epoch("a" * 32)
    assert record(catalog, "a", a=ready("a"))["a"].epoch == 2
    assert record(catalog, "renamed", renamed=ready("a"))["renamed"].epoch == 2


def test_after_the_catalog_was_lost_a_device_has_the_epoch_that_its_workers_know(catalog: Catalog) -> None:
    assert record(catalog, "e", e=ready("e"))["e"].epoch == 7
    for _ in range(9):
        catalog.devices.raise_epoch("e" * 32)
    assert record(catalog, "e", e=ready("e"))["e"].epoch == 16


def test_a_device_that_is_there_is_live_again_whatever_it_was_before(catalog: Catalog) -> None:
    record(catalog, "a", a=ready("a"))
    catalog.devices.set_state("a" * 32, "dead", "on fire")
    record(catalog, "a", a=ready("a", free_bytes=7))
    (row,) = catalog.devices.all(POOL)
    assert (row.state, row.reason, row.free_bytes) == ("live", "", 7)


def test_a_device_is_remembered_with_its_folder_and_the_file_system_that_this_is_on(catalog: Catalog) -> None:
    record(catalog, "a b", a=ready("a", mount_point="/mnt/a"), b=ready("b", mount_point="/"))
    known = known_devices(catalog)
    assert {device.name: (device.path, device.mount_point) for device in known} == {
        "a": ("/mnt/a", "/mnt/a"),
        "b": ("/mnt/b", "/"),
    }
    paths = {"a": Path("/mnt/a"), "b": Path("/elsewhere/b"), "c": Path("/mnt/c")}
    assert known_where_named(known, paths) == {"a"}


def test_a_member_without_segments_has_stored_nothing(catalog: Catalog) -> None:
    members = record(catalog, "a b", a=ready("a"), b=ready("b"))
    members["b"].state = "full"
    totals = device_totals([two_stored("a")], members)
    assert (totals["a"].segments, totals["a"].bytes_source, totals["a"].bytes_stored) == (2, 10, 5)
    assert (totals["b"].segments, totals["b"].state) == (0, "full")


def test_what_absent_devices_hold_of_a_snapshot_counts(catalog: Catalog) -> None:
    members = record(catalog, "a", a=ready("a"))
    totals = device_totals([two_stored("a"), two_stored("b"), two_stored("c")], members, absent=["b", "d"])
    assert {name: (row.segments, row.state) for name, row in totals.items()} == {
        "a": (2, "live"),
        "b": (2, "absent"),
        "c": (2, "absent"),
        "d": (0, "absent"),
    }


def two_stored(device: str) -> SegmentTotals:
    return SegmentTotals(
        device=device,
        state="stored",
        segments_count=2,
        bytes_source=10,
        bytes_stored=5,
        rerouted_count=0,
        retried_count=0,
    )


def test_a_device_that_can_only_be_read_is_a_member_that_takes_nothing(catalog: Catalog) -> None:
    its_report = report(condition="unwritable", device_id="b" * 32, pool_id=POOL, detail="/mnt/b: read-only")
    decision = PoolDecision(pool_id=POOL, ready={"a": "a" * 32}, adopt={}, absent={}, read_only={"b": "/mnt/b: ..."})
    paths = {name: Path("/mnt") / name for name in "ab"}
    members = record_members(catalog, decision, {"a": ready("a"), "b": its_report}, paths, lambda device_id: 0)
    assert (members["b"].is_live, members["b"].is_readable) == (False, True)
    assert (catalog.devices.get("b" * 32).state, catalog.devices.get("b" * 32).reason) == (
        "read-only",
        "/mnt/b: read-only",
    )


def test_a_device_that_is_back_says_whether_it_can_be_written(catalog: Catalog) -> None:
    record(catalog, "a", a=ready("a"))
    catalog.devices.set_state("a" * 32, "dead", "I/O error")
    record_returned(catalog, [report(condition="unwritable", device_id="a" * 32, detail="/mnt/a: read-only")])
    assert (catalog.devices.get("a" * 32).state, catalog.devices.get("a" * 32).reason) == (
        "read-only",
        "/mnt/a: read-only",
    )
    record_returned(catalog, [ready("a")])
    assert (catalog.devices.get("a" * 32).state, catalog.devices.get("a" * 32).reason) == ("live", "")
