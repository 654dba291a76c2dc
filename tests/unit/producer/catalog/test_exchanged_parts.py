"""A tree part under the name of another, as after a damage of the catalog's file, is no part of a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from kit.models.in_process import InProcess, in_process
from kit.tree import Tree
from producer.catalog.schema import tree_parts
from tasks.errors import DamagedError


@pytest.fixture
def run(tmp_path: Path) -> Iterator[InProcess]:
    """Two parts, of two sources of the same shape."""
    sources = {name: Tree({"file": name.encode()}).make(tmp_path / name) for name in ("one", "two")}
    with in_process(tmp_path) as made:
        made.back_up(sources)
        yield made


def exchange(run: InProcess) -> None:
    database = run.catalog.trees._database
    with run.catalog.transaction():
        one, other = list(database.read(select(tree_parts)))
        for row, data in ((one, other.data), (other, one.data)):
            database.write(update(tree_parts).where(tree_parts.c.digest == row.digest).values(data=data))


def test_it_is_refused_wherever_entries_are_read(run: InProcess) -> None:
    tree = run.tree()
    exchange(run)

    with pytest.raises(DamagedError, match="another one"):
        list(tree.batches())
    with pytest.raises(DamagedError, match="another one"):
        list(tree.placed(tree.parts))


def test_a_restore_refuses_rather_than_give_a_file_the_content_of_another(run: InProcess) -> None:
    exchange(run)

    with pytest.raises(DamagedError):
        run.restore()
    assert not list(run.target.rglob("file"))


def test_a_backup_reads_the_files_of_such_parts_again(run: InProcess, tmp_path: Path) -> None:
    exchange(run)

    done = run.back_up({name: tmp_path / name for name in ("one", "two")})

    assert done.files_unchanged == 0
    run.restore()
    assert (run.target / "one" / "file").read_bytes() == b"one"
