"""What no device has any more is stored again from unchanged files, under its old address: old snapshots are whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import SparseFile, Tree, noise
from producer.configuration.values.sizes import format_size
from producer.summaries import BackupSummary
from tasks.orders import Order, StoreSegment

MIB = 1024**2
LARGE = noise(9 * MIB + 12_345)
TREE: dict[str, bytes | SparseFile] = {
    "folder/one": noise(5_000, seed=1),
    "folder/two": noise(6_000, seed=2),
    "large": LARGE,
    "other": b"other",
    "sparse": SparseFile(3 * MIB, {100_000: b"island", 2 * MIB: noise(70_000, seed=3)}),
}
FILES_COUNT = len(TREE)


class Source:
    """A folder that is backed up again and again, with a copy of what it was each time."""

    def __init__(self, run: InProcess, folder: Path) -> None:
        self.run = run
        run.ignore_ctime = True
        self.root = Tree(TREE).make(folder / "src")
        self.age()
        self.kept: dict[str, Path] = {}
        self._folder = folder

    def age(self) -> None:
        """All files count as unchanged since long before the first backup."""
        for path in [self.root, *self.root.rglob("*")]:
            os.utime(path, (10**9, 10**9))

    def back_up(self) -> BackupSummary:
        sizes = {"segment_bytes": 8 * MIB, "unit_bytes": MIB}
        done = self.run.back_up({"src": self.root}, has_troubles=False, **sizes)
        assert done.exit_code == 0 and done.snapshot_id is not None
        kept = self._folder / "kept" / done.snapshot_id
        shutil.copytree(self.root, kept / "src", symlinks=True)
        self.kept[done.snapshot_id] = kept
        return done

    def objects(self) -> list[Path]:
        return sorted((self.run.folder / "devices").glob("*/segments/*/*.seg"))

    def lose(self) -> None:
        """All that the devices have stored."""
        for stored in self.objects():
            stored.unlink()

    def check_all(self) -> None:
        """Each snapshot restores to what the tree was then."""
        for snapshot_id, kept in self.kept.items():
            shutil.rmtree(self.run.target, ignore_errors=True)
            assert self.run.restore(snapshot=snapshot_id).exit_code == 0
            assert contents(self.run.target) == contents(kept)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    with in_process(tmp_path) as run:
        made = Source(run, tmp_path)
        made.back_up()
        yield made


def test_all_that_was_lost_is_healed_once_and_all_snapshots_are_whole(source: Source) -> None:
    before = len(source.objects())
    source.lose()

    healed = source.back_up()

    assert (healed.files_unchanged, healed.files_healed, healed.files_changed) == (FILES_COUNT, FILES_COUNT, 0)
    assert healed.bytes_healed == healed.bytes_read > len(LARGE)
    assert any(f"of {FILES_COUNT} unchanged files any more" in note for note in source.run.notes)
    assert len(source.objects()) == before
    source.check_all()
    again = source.back_up()
    assert again.bytes_read == again.files_healed == 0


def test_of_a_file_that_was_lost_in_part_the_backup_says_how_much_it_stores_again(source: Source) -> None:
    largest = max(source.objects(), key=lambda stored: stored.stat().st_size)
    largest.unlink()

    healed = source.back_up()

    assert 0 < healed.bytes_healed < len(LARGE)
    size = format_size(healed.bytes_healed)
    assert f"no device has {size} of 1 unchanged file any more; it is stored again" in source.run.notes


def test_files_in_a_renamed_folder_heal_what_they_were(source: Source) -> None:
    (source.root / "folder").rename(source.root / "renamed")
    source.age()
    source.lose()

    healed = source.back_up()

    assert (healed.files_moved, healed.files_healed) == (2, FILES_COUNT)
    source.check_all()


def test_a_file_that_changed_heals_nothing_and_the_others_heal_what_is_theirs(source: Source) -> None:
    (first,) = source.kept
    (source.root / "folder" / "one").write_bytes(noise(5_000, seed=9))
    source.age()
    source.lose()

    healed = source.back_up()

    assert (healed.files_changed, healed.files_unchanged) == (1, FILES_COUNT - 1)
    assert healed.files_healed == FILES_COUNT - 1
    # What is lost of the old segment is no reason to heal the rest of it again.
    again = source.back_up()
    assert again.bytes_read == again.files_healed == 0
    kept = source.kept.pop(first)
    source.check_all()
    shutil.rmtree(source.run.target)
    assert source.run.restore(snapshot=first).exit_code == 3
    (kept / "src" / "folder" / "one").unlink()
    assert contents(source.run.target) == contents(kept)


def test_a_cell_that_changed_in_a_large_file_has_the_file_stored_anew(source: Source) -> None:
    with (source.root / "large").open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"behind the times")
    source.age()
    (first,) = source.kept
    source.lose()

    healed = source.back_up()

    assert (healed.files_changed, healed.files_healed) == (1, FILES_COUNT - 1)
    del source.kept[first]
    source.check_all()
    assert source.back_up().bytes_read == 0


class CrashError(Exception):
    """The command is killed."""


def test_healing_that_was_interrupted_is_resumed(source: Source) -> None:
    source.lose()
    seen: list[Order] = []

    def crash(order: Order) -> None:
        seen.append(order)
        if len([one for one in seen if isinstance(one, StoreSegment) and one.heals]) > 1:
            raise CrashError

    source.run.before = crash
    with pytest.raises(CrashError):
        source.back_up()
    source.run.before = lambda order: None

    done = source.back_up()

    assert done.files_healed > 0
    source.check_all()
    assert source.back_up().files_healed == 0


def test_files_that_were_moved_to_another_source_heal_what_they_were(source: Source, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    source.run.back_up({"src": source.root, "z": other})
    (source.root / "folder" / "two").rename(other / "two")
    source.age()
    source.lose()

    healed = source.run.back_up({"src": source.root, "z": other})

    assert (healed.files_moved, healed.files_healed, healed.files_changed) == (1, FILES_COUNT, 0)
    source.check_all()
