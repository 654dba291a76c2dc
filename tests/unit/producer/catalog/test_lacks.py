"""A snapshot is incomplete for as long as a device that it lacked at its seal is away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import backup_request, offline
from kit.tree import Tree
from producer.catalog.lacks import still_lacking
from producer.catalog.tables.devices import DeviceRow, DeviceState
from producer.catalog.tables.snapshots.rows import LackRow
from producer.cli.show.rows.incomplete import in_words
from producer.summaries import Incomplete

LACK = LackRow(device_id="c" * 32, device="c", files_count=3, size_bytes=70)
SEALED_AT = datetime(2026, 11, 26, 18, 0, tzinfo=UTC)
DEVICE = DeviceRow(
    name="c",
    device_id="c" * 32,
    pool_id="f" * 32,
    state="dead",
    reason="unmounted",
    since=datetime(2026, 11, 26, 17, 0, tzinfo=UTC),
    capacity_bytes=100,
    free_bytes=0,
    epoch=0,
    path="/mnt/c",
)


@pytest.mark.parametrize("state", ["dead", "absent", "suspect"])
def test_a_device_that_is_away_is_named_with_what_it_holds_and_since_when(state: DeviceState) -> None:
    found = still_lacking([LACK], [replace(DEVICE, state=state)], SEALED_AT)
    assert found == (Incomplete(device="c", files=3, bytes=70, since="2026-11-26T17:00:00Z"),)


@pytest.mark.parametrize(
    ("state", "omitted", "expected"),
    [("absent", 0, True), ("absent", 1, False), ("dead", 0, False), ("lost", 0, False)],
)
def test_a_rotating_device_is_expected_to_be_away_and_neither_to_fail_nor_to_be_lost(
    state: DeviceState, omitted: int, expected: bool
) -> None:
    lack = replace(LACK, omitted_files_count=omitted, omitted_bytes=omitted)
    (found,) = still_lacking([lack], [replace(DEVICE, state=state, rotating=True)], SEALED_AT)
    assert found.rotating == expected


def test_a_device_that_will_not_come_back_is_called_lost() -> None:
    found = still_lacking([LACK], [replace(DEVICE, state="lost")], SEALED_AT)
    assert [(lack.device, lack.lost) for lack in found] == [("c", True)]
    assert in_words(found) == "incomplete (device c, lost)"


@pytest.mark.parametrize("state", ["live", "full"])
def test_a_device_that_has_returned_is_not_lacking(state: DeviceState) -> None:
    assert still_lacking([LACK], [replace(DEVICE, state=state)], SEALED_AT) == ()


def test_what_no_device_has_stored_does_not_come_back_with_its_device() -> None:
    lack = replace(LACK, omitted_files_count=1, omitted_bytes=20)
    away = still_lacking([lack], [DEVICE], SEALED_AT)
    back = still_lacking([lack], [replace(DEVICE, state="live")], SEALED_AT)
    assert [(one.files, one.bytes, one.since) for one in away] == [(3, 70, "2026-11-26T17:00:00Z")]
    assert [(one.files, one.bytes, one.since) for one in back] == [(1, 20, "2026-11-26T18:00:00Z")]


def test_another_device_of_that_name_does_not_replace_it() -> None:
    other = replace(DEVICE, device_id="d" * 32, state="live")
    assert [lack.device for lack in still_lacking([LACK], [other, DEVICE], SEALED_AT)] == ["c"]


def test_what_a_snapshot_lacks_is_kept_with_it(tmp_path: Path) -> None:
    source = Tree({"a": b"1"}).make(tmp_path / "data")
    with offline(tmp_path) as run:
        snapshot_id = run.plan(backup_request({"data": source})).snapshot_id
        assert run.catalog.snapshots.get(snapshot_id).lacks == ()
        run.catalog.snapshots.set_lacks(snapshot_id, [LACK])
        assert run.catalog.snapshots.get(snapshot_id).lacks == (LACK,)
