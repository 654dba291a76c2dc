"""A restore over an older file, or after an interrupted one, fetches from the devices only what differs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import Tree, noise
from tasks.digests import CELL_BYTES
from tasks.errors import TargetError
from tasks.orders import Order, RestoreSegment
from workers.target.unfinished import temporary_name

MIB = 1024 * 1024
#: Two segments of several cells; one segment; and one of many in a bundle.
LARGE, MIDDLE = noise(14 * MIB), noise(6 * MIB, seed=2)
FILES = {"large": LARGE, "middle": MIDDLE, "small": b"small", "changed": b"changed"}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[InProcess]:
    with in_process(tmp_path) as made:
        source = Tree(dict(FILES)).make(tmp_path / "data")
        made.back_up({"data": source}, segment_bytes=8 * MIB, unit_bytes=MIB)
        yield made


def restored(made: InProcess) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (made.target / "data").iterdir()}


def spoil(path: Path, offset_bytes: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset_bytes)
        file.write(b"spoiled")


@pytest.mark.parametrize("overwrite", ["always", "if-changed"])
def test_of_a_large_file_only_the_cells_that_differ_are_fetched(made: InProcess, overwrite: str) -> None:
    made.restore()
    spoil(made.target / "data/large", 5 * MIB)
    spoil(made.target / "data/middle", 1)
    before = (made.target / "data/large").stat().st_ino
    summary = made.restore(overwrite=overwrite)
    assert restored(made) == FILES
    assert summary.bytes_reused >= len(LARGE) - CELL_BYTES + len(MIDDLE) - CELL_BYTES
    assert summary.bytes_restored <= 2 * CELL_BYTES
    assert (made.target / "data/large").stat().st_ino != before


def test_a_file_of_which_only_the_time_differs_is_not_fetched_at_all(made: InProcess) -> None:
    made.restore()
    os.utime(made.target / "data/changed", ns=(0, 0))
    summary = made.restore(overwrite="if-changed")
    assert (summary.bytes_restored, summary.bytes_reused) == (0, len(b"changed"))
    assert restored(made) == FILES
    assert (made.target / "data/changed").stat().st_mtime_ns == (made.folder / "data/changed").stat().st_mtime_ns


def test_a_longer_or_shorter_file_gives_what_it_has(made: InProcess) -> None:
    made.restore()
    os.truncate(made.target / "data/large", 9 * MIB)
    with (made.target / "data/middle").open("ab") as file:
        file.write(b"more")
    summary = made.restore(overwrite="if-changed")
    assert restored(made) == FILES
    assert summary.bytes_reused >= 8 * MIB + len(MIDDLE)


def test_whoever_has_the_older_file_open_sees_no_change(made: InProcess) -> None:
    made.restore()
    spoil(made.target / "data/large", 5 * MIB)
    with (made.target / "data/large").open("rb") as older:
        content = older.read()
        made.restore(overwrite="always")
        older.seek(0)
        assert older.read() == content


def interrupt(made: InProcess) -> None:
    """End a restore after the first piece of the large file."""
    pieces = 0

    def stop(order: Order) -> None:
        nonlocal pieces
        if isinstance(order, RestoreSegment) and "data/large" in order.paths:
            pieces += 1
            if pieces > 1:
                raise TargetError("the target is away")

    made.before = stop
    with pytest.raises(Exception, match="away"):
        made.restore(overwrite="if-changed")
    made.before = lambda order: None


def left_over(made: InProcess) -> list[Path]:
    return sorted((made.target / "data").glob(".segfleet-*"))


def test_what_an_interrupted_restore_has_written_of_a_large_file_is_not_fetched_again(made: InProcess) -> None:
    interrupt(made)
    assert len(left_over(made)) == 1
    summary = made.restore(overwrite="if-changed")
    assert restored(made) == FILES
    assert summary.bytes_reused >= CELL_BYTES
    assert left_over(made) == []


def test_what_is_left_over_of_a_restore_that_was_interrupted_twice_goes_too(made: InProcess) -> None:
    interrupt(made)
    interrupt(made)
    made.restore(overwrite="if-changed")
    assert restored(made) == FILES
    assert left_over(made) == []


def test_a_left_over_that_was_tampered_with_gives_nothing_that_is_wrong(made: InProcess) -> None:
    interrupt(made)
    for path in left_over(made):
        spoil(path, 1)
        spoil(path, 4 * MIB)
    made.restore(overwrite="if-changed")
    assert restored(made) == FILES


def test_a_symlink_under_the_name_of_a_left_over_is_neither_followed_nor_changed(made: InProcess) -> None:
    interrupt(made)
    (part,) = left_over(made)
    part.unlink()
    outside = made.folder / "outside"
    outside.write_bytes(b"mine")
    outside.chmod(0o604)
    part.symlink_to(outside)
    made.restore(overwrite="if-changed")
    assert restored(made) == FILES
    assert (outside.read_bytes(), stat.S_IMODE(outside.stat().st_mode)) == (b"mine", 0o604)


def test_left_overs_of_other_files_are_removed(made: InProcess) -> None:
    made.restore()
    other = made.target / "data" / temporary_name("a" * 32, "data/another file")
    other.write_bytes(b"half of another file")
    other.chmod(0o200)
    made.restore(overwrite="if-changed")
    assert left_over(made) == []
