"""A parent that cannot be read is named, and everything is read and stored, as in a first backup."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from kit.models.in_process import InProcess, in_process
from kit.tree import Tree, noise
from producer.catalog.schema import tree_parts
from producer.listing.frames import compress_lines, decompress_lines

TREE: dict[str, bytes] = {"a": noise(5_000, seed=1), "folder/b": noise(6_000, seed=2)}


@pytest.fixture
def run(tmp_path: Path) -> Iterator[InProcess]:
    root = Tree(TREE).make(tmp_path / "src")
    for path in root.rglob("*"):
        os.utime(path, (10**9, 10**9))
    with in_process(tmp_path) as made:
        made.ignore_ctime = True
        made.back_up({"src": root})
        yield made


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _other_lines(data: bytes) -> bytes:
    first, *lines = decompress_lines(data)
    return compress_lines([first, *(b"{}" for _ in lines)])


@pytest.mark.parametrize("is_new_process", [True, False], ids=["new process", "found in the middle"])
@pytest.mark.parametrize("damage", [_half, _other_lines, None], ids=["half-written", "other lines", "missing"])
def test_a_damaged_parent_is_named_and_a_full_backup_made(
    run: InProcess, tmp_path: Path, damage: Callable[[bytes], bytes] | None, is_new_process: bool
) -> None:
    database = run.catalog.trees._database
    (parent,) = run.catalog.snapshots.all()
    with run.catalog.transaction():
        for row in list(database.read(select(tree_parts))):
            here = tree_parts.c.digest == row.digest
            if damage is None:
                database.write(delete(tree_parts).where(here))
            else:
                database.write(update(tree_parts).where(here).values(data=damage(row.data)))

    if is_new_process:
        run.catalog.trees._needs.clear()

    done = run.back_up({"src": tmp_path / "src"})

    assert any(f"snapshot {parent.snapshot_id[:8]} cannot be compared" in note for note in run.notes)
    assert (done.files_new, done.files_unchanged) == (len(TREE), 0)
    assert done.bytes_read == sum(map(len, TREE.values()))
    assert run.restore().exit_code == 0
    assert {path: (run.target / "src" / path).read_bytes() for path in TREE} == TREE


def test_of_a_parent_that_has_lost_a_part_only_the_files_there_are_read(run: InProcess, tmp_path: Path) -> None:
    other = Tree({"c": noise(7_000, seed=3)}).make(tmp_path / "other")
    os.utime(other / "c", (10**9, 10**9))
    sources = {"src": tmp_path / "src", "other": other}
    run.back_up(sources)
    # Each source has parts of its own.
    lost = next(part for part in run.tree().parts if run.tree().source_of(part) == "other")
    with run.catalog.transaction():
        run.catalog.trees.drop([lost.digest])

    done = run.back_up(sources)

    assert any(note.startswith("1 of 2 parts of snapshot") for note in run.notes)
    assert (done.files_new, done.files_unchanged, done.bytes_read) == (1, len(TREE), 7_000)
    assert run.restore().exit_code == 0
