"""What of an interrupted backup stays, and what is planned anew."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.offline import Devices, Offline, backup_request, report
from kit.tree import Entries, Tree, noise
from producer.backup.intake.intake import Intake
from producer.backup.intake.take_in import take_in
from producer.backup.resume import find_resumable, request_to_resume
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import NewSnapshot
from producer.catalog.tables.troubles import TroubleRow
from tasks.errors import NotADeviceError, UsageError
from tasks.orders import AdoptDevice

KIB = 1024

#: A bundle of two files beside a large file in pieces.
SOURCE: Entries = {"a": b"12345", "b": b"67890", "large": noise(150 * KIB)}


class Interrupted:
    """A backup of two equal sources, one and two, that is planned; nothing is stored yet."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self.sources = {name: Tree(SOURCE).make(folder / name) for name in ("one", "two")}
        self.request = backup_request(self.sources)
        self.run = Offline(catalog, ["a", "b"], Devices(self.sources))
        self.intake = self.run.plan(self.request)

    @property
    def one(self) -> Path:
        return self.sources["one"]

    def store(self, count: int | None = None) -> None:
        self.run.store(self.intake, count=count)

    def again(self, names: str = "a b") -> Intake:
        """The same command once more, as far as its plan; with the devices named by the words of ``names``."""
        self.run = Offline(self.run.catalog, names.split(), self.run.devices)
        self.request = backup_request(self.sources, names)
        self.intake = self.run.plan(self.request)
        return self.intake

    def rows(self, state: str) -> list[SegmentRow]:
        rows = self.run.catalog.segments.valid(self.intake.snapshot_id)
        return [row for row in rows if row.state == state]

    def paths(self, state: str) -> set[str]:
        """The first files of the segments in this state."""
        reader = self.run.catalog.listing.reader(self.intake.snapshot_id)
        return {reader.entry(row.first_entry).snapshot_path for row in self.rows(state)}


@pytest.fixture
def backup(catalog: Catalog, tmp_path: Path) -> Interrupted:
    return Interrupted(catalog, tmp_path)


def test_when_nothing_changed_everything_stays_as_it_was_planned(backup: Interrupted, catalog: Catalog) -> None:
    backup.store(2)
    first = backup.intake.snapshot_id
    before = [row.segment_id for row in catalog.segments.valid(first)]
    intake = backup.again()
    assert intake.snapshot_id == first
    assert intake.kept is not None
    assert intake.kept.is_everything
    assert [row.segment_id for row in catalog.segments.valid(first)] == before
    assert len(backup.rows("stored")) == 2
    assert f"continuing snapshot {first[:8]}" in backup.run.observer.notes[0]


def test_a_plan_that_holds_for_the_next_run_too_is_of_that_run(backup: Interrupted, catalog: Catalog) -> None:
    first = catalog.snapshots.get(backup.intake.snapshot_id).planned_at
    begun_again = datetime.now(UTC)
    second = catalog.snapshots.get(backup.again().snapshot_id).planned_at
    assert first is not None
    assert second is not None
    assert first <= begun_again <= second


def change_a_bundled_file(root: Path) -> None:
    (root / "a").write_bytes(b"abcde")


def touch_a_bundled_file(root: Path) -> None:
    os.utime(root / "a", ns=(1, 1))


def remove_a_bundled_file(root: Path) -> None:
    (root / "a").unlink()


def add_a_file_among_them(root: Path) -> None:
    (root / "ab").write_bytes(b"new")


def change_a_large_file(root: Path) -> None:
    with (root / "large").open("r+b") as file:
        file.write(b"other")


def remove_a_large_file(root: Path) -> None:
    (root / "large").unlink()


def add_a_file_elsewhere(root: Path) -> None:
    (root / "new").mkdir()
    (root / "new" / "file").write_bytes(b"new")


BUNDLES, LARGE = {"one/a", "two/a"}, {"one/large", "two/large"}


@pytest.mark.parametrize(
    ("happens", "kept", "planned"),
    [
        (change_a_bundled_file, {"two/a"} | LARGE, {"one/a", "one/b"}),
        (touch_a_bundled_file, {"two/a"} | LARGE, {"one/a", "one/b"}),
        (remove_a_bundled_file, {"two/a"} | LARGE, {"one/b"}),
        (add_a_file_among_them, {"two/a"} | LARGE, {"one/a", "one/ab", "one/b"}),
        (change_a_large_file, BUNDLES | {"two/large"}, {"one/large"}),
        (remove_a_large_file, BUNDLES | {"two/large"}, set()),
        (add_a_file_elsewhere, BUNDLES | LARGE, {"one/new/file"}),
    ],
)
def test_only_the_segments_of_what_changed_are_planned_anew(
    backup: Interrupted, happens: Callable[[Path], None], kept: set[str], planned: set[str]
) -> None:
    backup.store()
    happens(backup.one)
    backup.again()
    assert backup.paths("stored") == kept
    assert backup.paths("planned") == planned


def test_what_was_planned_for_a_device_that_is_gone_goes_to_those_that_are_there(backup: Interrupted) -> None:
    backup.again("b")
    assert {row.device for row in backup.rows("planned")} == {"b"}


def test_a_device_that_comes_new_gets_what_a_lost_one_was_to_hold_until_it_holds_as_much(
    catalog: Catalog, tmp_path: Path
) -> None:
    backup = Interrupted(catalog, tmp_path)
    intake = backup.again("b c")
    loads = {name: backup.run.state.load_bytes(name) for name in intake.members}
    assert loads == {name: sum(row.size_bytes for row in backup.rows("planned") if row.device == name) for name in "bc"}
    assert max(loads.values()) - min(loads.values()) <= 64 * KIB


def test_what_a_device_holds_counts_though_it_is_away(backup: Interrupted) -> None:
    backup.store()
    intake = backup.again("b")
    assert intake.members.keys() == {"b"}
    assert {row.device for row in backup.rows("stored")} == {"a", "b"}
    assert backup.rows("planned") == []


def test_what_lay_on_a_device_that_was_replaced_is_stored_again(backup: Interrupted) -> None:
    backup.store()
    old = backup.run.catalog.devices.by_name("a")
    assert old is not None
    backup.run.catalog.devices.set_state(old.device_id, "lost", "replaced")
    on_a = {row.number for row in backup.rows("stored") if row.device == "a"}
    backup.run.devices.reports["a"] = report()
    for _ in range(2):  # The second run finds the new marker, and must not count what the old device held either.
        backup.again()
        assert on_a.isdisjoint(row.number for row in backup.rows("stored"))
        assert sum(row.size_bytes for row in backup.rows("stored") + backup.rows("planned")) == 2 * (10 + 150 * KIB)


def test_segments_that_failed_are_tried_again_from_their_first_try(backup: Interrupted, catalog: Catalog) -> None:
    for _ in range(2):
        (row, *_others) = catalog.segments.valid(backup.intake.snapshot_id)
        catalog.transitions.mark_fed(row.snapshot_id, [row.number], row.device, 1)
        assert catalog.transitions.record_failed(
            row.snapshot_id, row.number, device=row.device, epoch=1, attempt=1, reason="source", message="no"
        )
        backup.again()
        assert {row.attempt for row in backup.rows("planned")} == {1}


def test_what_the_first_walk_could_not_read_is_told_by_the_second_alone(backup: Interrupted, catalog: Catalog) -> None:
    catalog.troubles.add(
        backup.intake.snapshot_id,
        [
            TroubleRow(entry_index=None, path="/gone", code="unreadable", message=""),
            TroubleRow(entry_index=1, path="/stored", code="changed", message=""),
        ],
    )
    backup.again()
    assert [row.path for row in catalog.troubles.all(backup.intake.snapshot_id)] == ["/stored"]


def test_the_troubles_of_kept_segments_are_told_at_their_new_entries(backup: Interrupted, catalog: Catalog) -> None:
    note = {"index": 1, "trouble": "vanished", "read_bytes": 0, "message": "No such file"}
    for row in backup.rows("planned"):
        if row.stop_entry - row.first_entry > 1:
            catalog.transitions.record_stored(
                row.snapshot_id,
                row.number,
                device="a",
                device_id="a" * 32,
                epoch=0,
                bytes_stored=1,
                notes=[note],
                object_id=row.segment_id,
                trailer_digest=b"t" * 32,
            )
    add_a_file_elsewhere(backup.one)
    backup.again()
    reader = catalog.listing.reader(backup.intake.snapshot_id)
    troubles = catalog.troubles.all(backup.intake.snapshot_id)
    assert [reader.entry(row.entry_index or 0).snapshot_path for row in troubles] == ["one/b", "two/b"]
    assert [row.path for row in troubles] == [str(source / "b") for source in backup.sources.values()]
    assert {(row.code, row.message) for row in troubles} == {("vanished", "No such file")}


# ---- which snapshot is gone on with


def test_another_backup_begins_a_snapshot_of_its_own(backup: Interrupted, catalog: Catalog) -> None:
    assert find_resumable(catalog, replace(backup.request, level=9)) is None
    assert find_resumable(catalog, replace(backup.request, volume="other")) is None


def test_the_fleet_and_its_speed_may_differ(backup: Interrupted, catalog: Catalog) -> None:
    other = replace(backup.request, devices={"z": Path("/z")}, threads=7, retries_count=0)
    found = find_resumable(catalog, other)
    assert found is not None
    assert found.snapshot_id == backup.intake.snapshot_id


def test_a_snapshot_that_was_never_planned_is_discarded(catalog: Catalog, tmp_path: Path) -> None:
    sources = {"data": Tree({"a": b"1"}).make(tmp_path / "data")}
    run = Offline(catalog, ["a"], Devices(sources))
    take_in(run.session, backup_request(sources, "a"))
    assert len(catalog.snapshots.all("open")) == 1
    assert find_resumable(catalog, backup_request(sources, "a")) is None
    assert catalog.snapshots.all("open") == []


def test_a_named_snapshot_that_was_never_planned_is_planned_as_a_whole(catalog: Catalog, tmp_path: Path) -> None:
    sources = {"one": Tree(SOURCE).make(tmp_path / "one")}
    run = Offline(catalog, ["a", "b"], Devices(sources))
    request = backup_request(sources)
    # Its plan did not fit.
    begun = take_in(run.session, request)
    run = Offline(catalog, ["a", "b"], run.devices)

    intake = run.plan(replace(request, resume=begun.snapshot_id))

    assert intake.snapshot_id == begun.snapshot_id
    assert sum(row.size_bytes for row in catalog.segments.valid(intake.snapshot_id)) == 10 + 150 * KIB


def test_the_devices_of_another_pool_begin_anew(backup: Interrupted) -> None:
    first = backup.intake.snapshot_id
    backup.run.devices.reports.clear()
    assert backup.again("x y").snapshot_id != first
    assert any("is in another pool; a new one begins" in note for note in backup.run.observer.notes)


def test_a_snapshot_that_is_named_is_not_gone_on_with_on_devices_of_another_pool(
    backup: Interrupted, catalog: Catalog
) -> None:
    named = request_to_resume(catalog, backup.intake.snapshot_id, {"x": Path("/devices/x")}, failed_only=False)
    run = Offline(catalog, ["x"], backup.run.devices)

    with pytest.raises(NotADeviceError, match="is not in the pool of x"):
        take_in(run.session, named)

    assert [row.snapshot_id for row in catalog.snapshots.all("open")] == [backup.intake.snapshot_id]
    assert not any(isinstance(order, AdoptDevice) for order in run.wires.sent)


def test_a_known_device_whose_worker_ends_before_it_answers_is_absent_and_the_others_go_on(
    backup: Interrupted, catalog: Catalog
) -> None:
    run = Offline(catalog, ["a", "b"], backup.run.devices)
    run.processes.kill("b")

    intake = run.plan(backup.request)

    assert intake.members.keys() == {"a"}
    assert "signal SIGKILL" in intake.absent["b"]
    assert {row.device for row in catalog.segments.valid(intake.snapshot_id)} == {"a"}
    assert run.observer.trouble_codes == ["device-absent"]


def test_the_newest_open_snapshot_is_resumed_with_its_own_devices_or_those_given(
    backup: Interrupted, catalog: Catalog
) -> None:
    request = request_to_resume(catalog, None, {}, failed_only=False)
    assert request == replace(backup.request, resume=backup.intake.snapshot_id)
    devices = {"z": Path("/z")}
    assert request_to_resume(catalog, None, devices, failed_only=False).devices == devices
    named = request_to_resume(catalog, backup.intake.snapshot_id[:8], {}, failed_only=False)
    assert named.resume == backup.intake.snapshot_id


def test_only_a_snapshot_with_failed_segments_is_retried(backup: Interrupted, catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="no open snapshot has failed segments"):
        request_to_resume(catalog, None, {}, failed_only=True)
    (row, *_others) = catalog.segments.valid(backup.intake.snapshot_id)
    catalog.transitions.mark_fed(row.snapshot_id, [row.number], row.device, 1)
    catalog.transitions.record_failed(
        row.snapshot_id, row.number, device=row.device, epoch=1, attempt=1, reason="x", message=""
    )
    assert request_to_resume(catalog, None, {}, failed_only=True).resume == row.snapshot_id


def test_without_an_open_snapshot_there_is_nothing_to_resume(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="no backup was interrupted"):
        request_to_resume(catalog, None, {}, failed_only=False)


def test_a_snapshot_that_another_run_has_sealed_since_it_was_chosen_is_left_alone(
    backup: Interrupted, catalog: Catalog
) -> None:
    request = request_to_resume(catalog, None, {}, failed_only=False)
    for row in backup.rows("planned"):
        catalog.transitions.record_stored(
            row.snapshot_id,
            row.number,
            device="a",
            device_id="a" * 32,
            epoch=0,
            bytes_stored=1,
            object_id=row.segment_id,
            trailer_digest=b"t" * 32,
        )
    catalog.snapshots.seal(backup.intake.snapshot_id, datetime.now(UTC), b"h" * 32)

    with pytest.raises(UsageError, match="is sealed: another run has ended it"):
        find_resumable(catalog, request)


def test_what_this_host_began_is_resumed_before_what_others_began(backup: Interrupted, catalog: Catalog) -> None:
    ours = catalog.snapshots.get(backup.intake.snapshot_id)
    catalog.snapshots.begin(
        NewSnapshot(
            snapshot_id="f" * 32,
            pool_id=ours.pool_id,
            volume="theirs",
            mode="files",
            hostname="another.host",
            tags=(),
            sources=(),
            request=ours.request,
            started_at=datetime.now(UTC),
        )
    )
    assert request_to_resume(catalog, None, {}, failed_only=False).resume == ours.snapshot_id
