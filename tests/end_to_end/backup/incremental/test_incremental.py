"""The second backup of a tree, and those after it: what is read and stored, and that each snapshot restores whole."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.command import Done
from kit.program.machine import Machine
from kit.program.machine import machine as new_machine
from kit.program.proof import bring_back, read_all
from kit.stored.segments import header_of
from kit.tree import File, HardLink, SparseFile, Symlink, Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")

TREE = Tree(
    {
        "empty": b"",
        "text": b"text\n",
        "large": noise(600_000),
        "another name of large": HardLink("large"),
        "folder/one": noise(5_000, seed=1),
        "folder/deep/two": noise(5_000, seed=2),
        "folder/link": Symlink("one"),
        "dated 2037": File(b"later", mtime_ns=2_114_380_800_000_000_000),
        "sparse": SparseFile(3_000_000, {1_000_000: b"island"}),
        b"not utf-8 \xff": b"1",
        "gone tomorrow": b"2",
    }
)
FILES_COUNT = 9


def let_it_settle(source: Path) -> None:
    """Wait until the file system's clock has moved on: what was just written is never trusted as unchanged."""
    newest_s = max(path.lstat().st_ctime for path in [source, *source.rglob("*")])
    eventually(lambda: time.time() > newest_s + 3, "the files are three seconds old")


def back_up(machine: Machine, *options: str, devices: str = "a b", exit_code: int = 0) -> Done:
    done = machine.run("backup", "data", *machine.devices(devices), *SMALL, "--json", *options)
    assert done.exit_code == exit_code, done
    return done


def counts(done: Done) -> tuple[int, int, int, int]:
    """New, changed, unchanged, moved."""
    summary = done.summary
    return summary["files_new"], summary["files_changed"], summary["files_unchanged"], summary["files_moved"]


class Days:
    """Three snapshots of a tree that changes, and a kept copy of each day's tree."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.source = TREE.make(machine.folder / "data")
        let_it_settle(self.source)
        self.done = [self._day(0)]
        self.done.append(self._day(1))
        (self.source / "folder").rename(self.source / "moved")
        (self.source / "gone tomorrow").unlink()
        (self.source / "text").write_bytes(b"other\n")
        (self.source / "new").write_bytes(b"new")
        self.done.append(self._day(2))
        os.utime(self.source / "large")
        (self.source / "text").chmod(0o600)
        (self.source / "new").rename(self.source / "renamed")
        self.done.append(self._day(3, "--description", "a quiet day", "--skip-if-unchanged"))
        self.skipped = back_up(self.machine, "--skip-if-unchanged")

    def _day(self, number: int, *options: str) -> Done:
        shutil.copytree(self.source, self.kept(number) / "data", symlinks=True)
        return back_up(self.machine, *options)

    def kept(self, number: int) -> Path:
        return self.machine.folder / "kept" / str(number)


@pytest.fixture(scope="module")
def days() -> Iterator[Days]:
    with new_machine() as made:
        yield Days(made)


def test_the_first_backup_has_no_parent_and_all_files_are_new(days: Days) -> None:
    first = days.done[0]
    assert (first.summary["parent_id"], counts(first)) == ("", (FILES_COUNT, 0, 0, 0))
    assert first.summary["bytes_read"] > 600_000


def test_of_an_unchanged_tree_nothing_is_read_or_stored(days: Days) -> None:
    first, second = (done.summary for done in days.done[:2])
    assert (second["parent_id"], counts(days.done[1])) == (first["snapshot_id"], (0, 0, FILES_COUNT, 0))
    assert (second["bytes_read"], second["bytes_stored"], second["segments"]) == (0, 0, 0)
    assert second["bytes_source"] == first["bytes_source"]


def test_only_what_has_changed_is_stored_and_files_in_a_renamed_folder_are_not(days: Days) -> None:
    third = days.done[2]
    assert counts(third) == (1, 1, FILES_COUNT - 4, 2)
    assert third.summary["bytes_read"] == len(b"other\n") + len(b"new")


def test_files_that_were_only_touched_or_renamed_are_read_and_not_stored(days: Days) -> None:
    fourth = days.done[3]
    assert counts(fourth) == (1, 2, FILES_COUNT - 3, 0)
    assert fourth.summary["bytes_read"] == 600_000 + len(b"other\n") + len(b"new")
    assert (fourth.summary["bytes_stored"], fourth.summary["segments"]) == (0, 0)


def test_no_snapshot_is_made_when_nothing_differs_and_none_is_wanted_then(days: Days) -> None:
    fourth, skipped = days.done[3].summary, days.skipped.summary
    assert (skipped["snapshot_id"], skipped["parent_id"]) == (None, fourth["snapshot_id"])
    assert (skipped["exit_code"], skipped["files"]) == (0, FILES_COUNT)
    rows = days.machine.succeed("snapshots", "--json").rows
    assert [row["snapshot_id"] for row in rows] == [done.summary["snapshot_id"] for done in days.done]
    assert [row["description"] for row in rows] == ["", "", "", "a quiet day"]
    assert b"a quiet day" in days.machine.succeed("snapshots").stdout


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_each_snapshot_restores_to_the_tree_of_its_day(days: Days, number: int, tmp_path: Path) -> None:
    snapshot = days.done[number].summary["snapshot_id"]
    done = days.machine.run("restore", snapshot, "--target", tmp_path / "out", *days.machine.devices("a b"), "--json")
    assert done.exit_code == 0
    assert _contents(tmp_path / "out") == _contents(days.kept(number))
    if number == 3:
        # The source is still as it was then, with all its metadata.
        assert differences(days.source, tmp_path / "out" / "data") == []


def _contents(root: Path) -> dict[str, bytes | str]:
    return {
        os.fsdecode(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_bytes()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_a_snapshot_of_an_unchanged_tree_adds_next_to_nothing_to_a_device(days: Days) -> None:
    snapshot = days.done[1].summary["snapshot_id"]
    files = list(days.machine.device("a").glob(f"manifests/{snapshot}*"))
    assert sum(file.stat().st_size for file in files) < 4096


def test_a_dry_run_says_what_would_be_stored(days: Days) -> None:
    row = days.machine.succeed("plan", "data", *days.machine.devices("a b"), "--json").rows[-1]
    # The two that were written last may be too young to be trusted.
    assert row["files_new"] == row["files_moved"] == 0
    assert row["files_changed"] == row["files"] == FILES_COUNT - row["files_unchanged"] <= 3
    assert row["parent_id"] == days.done[3].summary["snapshot_id"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--parent", "0" * 8), "no snapshot begins with 00000000"),
        (("--parent", "latest", "--force"), "exclude each other"),
        (("--parent", "data@latest", "--volume", "other"), "is of volume data, not of other"),
        (("--parent", "latest", "--volume", "other"), "there is no snapshot of volume other"),
    ],
)
def test_a_parent_that_cannot_be_is_refused(days: Days, options: tuple[str, ...], message: str) -> None:
    assert message in back_up(days.machine, *options, exit_code=2).errors[0]["message"]


@pytest.fixture
def settled(machine: Machine) -> Machine:
    """A tree whose files count as unchanged when they are older than the first backup by their mtime."""
    source = Tree({f"{number}": noise(4_000, number) for number in range(12)}).make(machine.folder / "data")
    for path in source.rglob("*"):
        os.utime(path, (10**9, 10**9))
    return machine


def test_a_small_file_that_was_touched_alone_is_compared_as_a_whole_and_not_stored(machine: Machine) -> None:
    source = Tree({"file": noise(20_000), "beside": noise(200_000, 1)}).make(machine.folder / "data")
    for file in source.iterdir():
        os.utime(file, (10**9, 10**9))
    back_up(machine, "--ignore-ctime")
    os.utime(source / "file", (10**9, 10**9 + 1))
    touched = back_up(machine, "--ignore-ctime")
    assert (counts(touched), touched.summary["bytes_read"]) == ((0, 1, 1, 0), 20_000)
    assert (touched.summary["segments"], touched.summary["bytes_stored"]) == (0, 0)


def test_with_force_or_on_devices_of_another_pool_everything_is_stored_again(settled: Machine) -> None:
    back_up(settled, "--ignore-ctime")
    forced = back_up(settled, "--ignore-ctime", "--force")
    assert (forced.summary["parent_id"], counts(forced)) == ("", (12, 0, 0, 0))
    assert forced.summary["bytes_read"] == 12 * 4_000
    other = back_up(settled, "--ignore-ctime", devices="c d")
    assert (other.summary["parent_id"], counts(other)) == ("", (12, 0, 0, 0))


def test_a_copy_on_another_disk_is_unchanged_when_inodes_and_ctimes_are_ignored(settled: Machine) -> None:
    back_up(settled, "--ignore-ctime")
    source = settled.folder / "data"
    shutil.copytree(source, settled.folder / "copy", copy_function=shutil.copy2)
    shutil.rmtree(source)
    (settled.folder / "copy").rename(source)
    assert counts(back_up(settled, "--ignore-ctime", "--ignore-inode")) == (0, 0, 12, 0)
    # Without it the inodes tell the copies from the files of before.
    assert counts(back_up(settled, "--ignore-ctime", "--parent", "latest")) == (0, 0, 12, 0)


def test_what_a_device_that_is_away_holds_is_kept_there_named_and_counts_as_incomplete(settled: Machine) -> None:
    back_up(settled, "--ignore-ctime")
    settled.device("b").rename(settled.folder / "away")
    second = back_up(settled, "--ignore-ctime", exit_code=3)
    (lack,) = second.summary["incomplete"]
    assert (counts(second), second.summary["bytes_read"]) == ((0, 0, 12, 0), 0)
    assert (lack["device"], lack["bytes"]) == ("b", lack["files"] * 4_000)
    assert {row["path"] for row in second.errors if row["path"] and row["code"] == "incomplete"} < {
        str(settled.folder / "data" / f"{number}") for number in range(12)
    }
    settled.device("b").rmdir()
    (settled.folder / "away").rename(settled.device("b"))
    assert back_up(settled, "--ignore-ctime").summary["incomplete"] == []


def test_a_rotating_device_may_be_away(settled: Machine) -> None:
    back_up(settled, "--ignore-ctime")
    settled.device("b").rename(settled.folder / "away")
    file = settled.folder / "segfleet.toml"
    file.write_text('[devices.b]\npath = "b"\nrotating = true\n')

    second = back_up(settled, "--ignore-ctime", "--config", "segfleet.toml")

    (lack,) = second.summary["incomplete"]
    assert (lack["device"], lack["rotating"], second.summary["errors"], second.errors) == ("b", True, 0, [])
    skipped = back_up(settled, "--ignore-ctime", "--skip-if-unchanged", "--config", "segfleet.toml")
    assert skipped.summary["snapshot_id"] is None
    health, *rows = settled.succeed("status", "--json").rows
    assert (health["colour"], health["problems"]) == ("green", [])
    assert [row["rotating"] for row in rows if row["message_type"] == "device"] == [False, True]
    assert b"needs device b" in settled.succeed("snapshots").stdout
    assert b"rotating" in settled.succeed("devices", *settled.devices("b"), "--config", "segfleet.toml").stdout
    # What it has not stored, or a person has given up, is missing as ever.
    settled.succeed("devices", "lost", "b")
    assert settled.succeed("status", "--json").rows[0]["colour"] == "red"


def test_what_lay_on_a_lost_device_is_healed_from_unchanged_files_in_all_snapshots(settled: Machine) -> None:
    first = back_up(settled, "--ignore-ctime")
    shutil.rmtree(settled.device("b"))
    settled.succeed("devices", "lost", "b")
    second = back_up(settled, "--ignore-ctime", "--skip-if-unchanged", devices="a c")
    assert counts(second) == (0, 0, 12, 0)
    assert 0 < second.summary["bytes_read"] == second.summary["bytes_healed"] < 12 * 4_000
    assert second.summary["files_healed"] * 4_000 == second.summary["bytes_healed"]
    for snapshot in (first, second):
        target = f"out {snapshot.summary['snapshot_id']}"
        bring_back(settled, target, "a c", snapshot=snapshot.summary["snapshot_id"])
        assert differences(settled.folder / "data", settled.folder / target / "data") == []
    read_all(settled, "a c")
    assert back_up(settled, "--ignore-ctime", devices="a c").summary["bytes_read"] == 0


def test_a_file_that_has_changed_behind_its_times_heals_nothing_and_is_stored_anew(settled: Machine) -> None:
    first = back_up(settled, "--ignore-ctime")
    lost = {path for segment in settled.segments_on("b") for path in header_of(segment)["extents"]["paths"]}
    shutil.rmtree(settled.device("b"))
    settled.succeed("devices", "lost", "b")
    kept = settled.folder / "kept"
    shutil.copytree(settled.folder / "data", kept)
    changed = settled.folder / "data" / "3"
    changed.write_bytes(noise(4_000, 99))
    os.utime(changed, (10**9, 10**9))

    second = back_up(settled, "--ignore-ctime", devices="a c")

    bring_back(settled, "new", "a c")
    assert differences(settled.folder / "data", settled.folder / "new" / "data") == []
    old = settled.run("restore", first.summary["snapshot_id"], "--target", "old", *settled.devices("a c"))
    if "3" in lost:
        assert (old.exit_code, counts(second)) == (3, (0, 1, 11, 0))
        (kept / "3").unlink()
    assert {path.name for path in kept.iterdir()} == {path.name for path in (settled.folder / "old" / "data").iterdir()}


def test_damage_that_a_check_has_found_is_healed_by_the_next_backup(settled: Machine) -> None:
    first = back_up(settled, "--ignore-ctime")
    segment = settled.segments_on("b")[0]
    damaged = bytearray(segment.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    segment.write_bytes(damaged)
    assert settled.run("check", "--read-data", *settled.devices("a b")).exit_code == 3

    healed = back_up(settled, "--ignore-ctime")

    assert healed.summary["files_healed"] == len(header_of(segment)["extents"]["paths"])
    read_all(settled, "a b")
    bring_back(settled, "out", "a b", snapshot=first.summary["snapshot_id"])
    assert differences(settled.folder / "data", settled.folder / "out" / "data") == []


def test_what_a_device_has_no_more_is_stored_again_though_it_is_there(settled: Machine) -> None:
    back_up(settled, "--ignore-ctime")
    for segment in settled.segments_on("b"):
        segment.unlink()
    second = back_up(settled, "--ignore-ctime")
    assert second.summary["bytes_read"] > 0
    bring_back(settled, "out", "a b")
    assert differences(settled.folder / "data", settled.folder / "out" / "data") == []
