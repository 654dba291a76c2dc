"""A device that will not come back: which one is meant, and what its snapshots lack."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import backup_request, offline, report
from kit.tree import Tree, noise
from producer.backup.sealing.record_tree import record_tree
from producer.catalog.catalog import Catalog
from producer.catalog.lacks import still_lacking
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.pool.losses.lost import device_named, mark_lost
from producer.pool.members import record_returned
from tasks.errors import UsageError

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
POOL, OTHERS = "1" * 32, "2" * 32


def add(catalog: Catalog, digit: str, name: str = "b", **fields: object) -> DeviceRow:
    row = DeviceRow(
        name=name,
        device_id=digit * 32,
        pool_id=POOL,
        state="live",
        reason="",
        since=SINCE,
        capacity_bytes=0,
        free_bytes=0,
        epoch=0,
        path=f"/mnt/{digit}",
    )
    catalog.devices.record(replace(row, **fields))
    return catalog.devices.get(digit * 32)


def test_a_device_is_meant_by_its_name_or_by_digits_of_its_id(catalog: Catalog) -> None:
    added = add(catalog, "a", "disk")
    assert device_named(catalog, "disk") == added == device_named(catalog, "aaaaaaaa")


def test_a_lost_device_is_meant_only_while_no_other_has_its_name(catalog: Catalog) -> None:
    old = add(catalog, "a", state="lost")
    assert device_named(catalog, "b") == old
    new = add(catalog, "c")
    assert device_named(catalog, "b") == new


def test_a_name_that_fits_none_or_several_is_refused_and_those_there_are_named(catalog: Catalog) -> None:
    add(catalog, "a")
    add(catalog, "c", pool_id=OTHERS)
    with pytest.raises(UsageError, match=r"several devices are called b: .*b \(aaaaaaaa, in /mnt/a\)"):
        device_named(catalog, "b")
    with pytest.raises(UsageError, match="no device is called x; known: b"):
        device_named(catalog, "x")


def test_each_sealed_snapshot_says_what_it_lacks_until_the_device_is_back(tmp_path: Path) -> None:
    tree = {f"file-{number}": noise(5_000, number) for number in range(6)}
    source = Tree({**tree, "large": noise(300_000, 9)}).make(tmp_path / "data")
    with offline(tmp_path) as run:
        intake = run.plan(backup_request({"data": source}))
        run.store(intake)
        record_tree(run.catalog, run.catalog.snapshots.get(intake.snapshot_id), intake.members)
        run.catalog.snapshots.seal(intake.snapshot_id, SINCE, b"h" * 32)
        catalog, device = run.catalog, run.catalog.devices.by_name("b")
        assert device is not None

        lost, lacking_count = mark_lost(catalog, device)

        assert (lost.state, lacking_count) == ("lost", 1)
        snapshot = catalog.snapshots.get(intake.snapshot_id)
        held = [row for row in catalog.segments.stored(intake.snapshot_id) if row.device == "b"]
        (lack,) = still_lacking(snapshot.lacks, catalog.devices.all(), snapshot.sealed_at)
        assert (lack.device, lack.bytes, lack.lost) == ("b", sum(row.size_bytes for row in held), True)
        assert 0 < lack.files <= 7
        assert mark_lost(catalog, device) == (lost, 1)

        record_returned(catalog, [report(condition="ready", device_id=device.device_id)])
        assert still_lacking(snapshot.lacks, catalog.devices.all(), snapshot.sealed_at) == ()


def test_what_a_snapshot_was_sealed_without_is_still_lacking_when_the_device_is_lost(tmp_path: Path) -> None:
    source = Tree({f"file-{number}": noise(5_000, number) for number in range(6)}).make(tmp_path / "data")
    with offline(tmp_path) as run:
        intake = run.plan(backup_request({"data": source}, bundle=False))
        run.store(intake, count=5)
        (left,) = [row for row in run.catalog.segments.valid(intake.snapshot_id) if row.state == "planned"]
        device = run.catalog.devices.by_name(left.device)
        assert device is not None
        lack = LackRow(
            device_id=device.device_id,
            device=left.device,
            files_count=1,
            size_bytes=left.size_bytes,
            omitted_files_count=1,
            omitted_bytes=left.size_bytes,
        )
        run.catalog.transitions.omit(intake.snapshot_id, [left.number])
        record_tree(run.catalog, run.catalog.snapshots.get(intake.snapshot_id), intake.members)
        run.catalog.snapshots.seal(intake.snapshot_id, SINCE, b"h" * 32, [lack])

        mark_lost(run.catalog, device)

        (now,) = run.catalog.snapshots.get(intake.snapshot_id).lacks
        assert (now.omitted_files_count, now.omitted_bytes) == (1, left.size_bytes)
        assert now.files_count == sum(row.device == left.device for row in run.catalog.segments.valid(left.snapshot_id))


def test_a_lost_device_that_is_seen_again_stays_lost_while_another_has_its_name(catalog: Catalog) -> None:
    add(catalog, "a", state="lost")
    add(catalog, "c")
    record_returned(catalog, [report(condition="ready", device_id="a" * 32)])
    assert catalog.devices.get("a" * 32).state == "lost"
