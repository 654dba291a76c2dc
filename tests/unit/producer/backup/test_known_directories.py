"""What a backup remembers of directories: the next one is the same as without it, and only faster."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import delete, select, update

from kit.compare import differences, look_at
from kit.models.in_process import InProcess, in_process
from kit.models.offline import backup_request
from kit.tree import Tree, noise
from producer.backup.intake.intake import Intake
from producer.backup.intake.known_tree import KnownTree, known_tree
from producer.backup.remember import remember_directories, remembered
from producer.catalog.schema import snapshots, tree_parts
from producer.catalog.tables.troubles import TroubleRow
from producer.host.state import StateFolder
from producer.listing.entry import EntryBatch
from producer.summaries import BackupSummary
from producer.walk.known import KnownDirectories, KnownDirectory

#: No file is split.
TREE: dict[str, bytes] = {"a": noise(3_000, seed=1), "one/b": noise(3_000, seed=2), "two/c": b"", "two/d": b"d" * 999}
DIRECTORIES = ["", "one", "two"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = Tree(TREE).make(tmp_path / "src")
    for path in made.rglob("*"):
        os.utime(path, (10**9, 10**9))
    return made


@pytest.fixture
def run(tmp_path: Path, root: Path) -> Iterator[InProcess]:
    """After two backups: the second found that all was as in the first."""
    with in_process(tmp_path) as made:
        made.ignore_ctime = True
        made.back_up({"src": root})
        made.back_up({"src": root})
        yield made


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The directories whose entries came from the snapshot before."""
    directories = list[str]()
    batch = KnownTree.batch

    def noted(self: KnownTree, source: str, directory: str) -> EntryBatch | None:
        found = batch(self, source, directory)
        directories.extend([] if found is None else [directory])
        return found

    monkeypatch.setattr(KnownTree, "batch", noted)
    return directories


def back_up(run: InProcess, root: Path) -> BackupSummary:
    return run.back_up({"src": root})


def assert_restores(run: InProcess, root: Path) -> None:
    shutil.rmtree(run.target, ignore_errors=True)
    run.restore()
    assert differences(look_at(root), look_at(run.target / "src")) == []


def test_what_is_as_it_was_is_taken_over_again_and_again(run: InProcess, root: Path, taken: list[str]) -> None:
    before = run.tree().parts
    for _ in range(2):
        done = back_up(run, root)
        assert (done.files_unchanged, done.files_new, done.files_changed) == (4, 0, 0)

    assert taken == DIRECTORIES * 2
    assert run.tree().parts == before
    assert_restores(run, root)


def test_a_changed_directory_is_looked_at_and_only_that(run: InProcess, root: Path, taken: list[str]) -> None:
    (root / "one" / "b").write_bytes(noise(3_100, seed=3))

    done = back_up(run, root)

    assert (done.files_unchanged, done.files_changed) == (3, 1)
    assert taken == ["", "two"]
    assert_restores(run, root)


def test_entries_that_have_moved_in_the_listing_are_still_known(run: InProcess, root: Path, taken: list[str]) -> None:
    (root / "one" / "more").write_bytes(b"more")
    os.utime(root / "one", (10**9, 10**9))
    back_up(run, root)
    back_up(run, root)

    # The first time the folder above is not as it was, either.
    assert taken == ["two", "", "two"]
    assert_restores(run, root)


def test_what_is_younger_than_the_snapshot_is_read_though_it_is_as_it_was(
    run: InProcess, root: Path, taken: list[str]
) -> None:
    """As after a clock was set back."""
    here = snapshots.c.snapshot_id == run.catalog.snapshots.find("latest").snapshot_id
    with run.catalog.transaction():
        run.catalog._database.write(update(snapshots).where(here).values(started_at=datetime(2001, 1, 1, tzinfo=UTC)))

    done = back_up(run, root)

    assert (done.files_unchanged, done.files_changed) == (0, 4)
    assert taken == DIRECTORIES


def test_what_no_device_has_any_more_is_stored_again(run: InProcess, root: Path, taken: list[str]) -> None:
    for device in run.devices:
        shutil.rmtree(run.device(device) / "segments")

    done = run.back_up({"src": root}, has_troubles=True)

    assert done.files_unchanged == 4
    assert taken == DIRECTORIES
    assert any("is stored again" in note for note in run.notes)
    assert_restores(run, root)


def test_where_the_tree_of_the_snapshot_cannot_be_read_each_entry_is_looked_at(
    run: InProcess, root: Path, taken: list[str]
) -> None:
    database = run.catalog.trees._database
    with run.catalog.transaction():
        for row in list(database.read(select(tree_parts))):
            database.write(delete(tree_parts).where(tree_parts.c.digest == row.digest))

    back_up(run, root)

    assert taken == []
    assert_restores(run, root)


def known_of(run: InProcess) -> KnownDirectories:
    assert run.known is not None
    return run.known


def test_only_what_is_known_of_the_last_snapshot_counts_and_not_where_another_parent_is_wanted(
    run: InProcess, root: Path
) -> None:
    request, known = backup_request({"src": root}), known_of(run)
    assert known_tree(run.catalog, request, known) is not None

    assert known_tree(run.catalog, request, None) is None
    assert known_tree(run.catalog, request, replace(known, snapshot_id="0" * 32)) is None
    assert known_tree(run.catalog, replace(request, force=True), known) is None
    assert known_tree(run.catalog, replace(request, parent="latest"), known) is None


def test_a_place_that_is_not_that_of_the_directory_is_not_believed(run: InProcess) -> None:
    known = known_of(run)
    one = known.directories["src"][b"one"]
    for first, count in ((one.first_entry + 1, 1), (one.first_entry, 2), (0, 1), (10**6, 1)):
        wrong = replace(known, directories={"src": {b"one": KnownDirectory(one.mark, first, count)}})
        assert KnownTree(wrong, run.tree()).batch("src", "one") is None


def remember(run: InProcess, state: StateFolder, known: KnownDirectories, **choices: Any) -> KnownDirectories | None:
    request = replace(backup_request({"src": run.folder / "src"}), **choices)
    remember_directories(run.catalog, request, _intake(known), state)
    return remembered(request, state)


def _intake(known: KnownDirectories) -> Intake:
    """Of an intake no more than what is remembered."""
    fields: dict[str, Any] = dict.fromkeys(Intake.__struct_fields__)
    return Intake(**fields | {"snapshot_id": known.snapshot_id, "known_directories": known.directories})


def test_it_lies_in_the_state_folder_from_one_backup_to_the_next(run: InProcess, tmp_path: Path) -> None:
    state = StateFolder(path=tmp_path)

    assert remember(run, state, known_of(run)) == known_of(run)


def test_a_directory_with_trouble_is_not_remembered(run: InProcess, tmp_path: Path) -> None:
    known = known_of(run)
    trouble = TroubleRow(entry_index=known.directories["src"][b"one"].first_entry, path="b", code="changed", message="")
    run.catalog.troubles.add(known.snapshot_id, [trouble])

    left = remember(run, StateFolder(path=tmp_path), known)

    assert left is not None
    assert left.directories["src"].keys() == {b"", b"two"}


def test_nothing_is_remembered_where_times_of_change_do_not_count(run: InProcess, tmp_path: Path) -> None:
    assert remember(run, StateFolder(path=tmp_path), known_of(run), ignore_ctime=True) is None


def test_a_state_folder_that_cannot_be_written_costs_no_more_than_time(run: InProcess, tmp_path: Path) -> None:
    (tmp_path / "known").write_bytes(b"in its place")

    assert remember(run, StateFolder(path=tmp_path), known_of(run)) is None
