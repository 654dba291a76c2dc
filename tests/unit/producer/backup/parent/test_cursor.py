"""The parent's entries are found beside those of the walk, however either is cut into batches."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from producer.backup.parent.cursor import Cursor
from producer.listing.entry import EntryBatch


def batch(path: str) -> EntryBatch:
    """``folder/a b c``: entries of one folder; "": the source itself."""
    directory, _, names = path.rpartition("/")
    count = len(names.split(" "))
    numbers = [0] * count
    return EntryBatch(
        directory=directory,
        names=names.split(" "),
        kinds="f" * count,
        modes=numbers,
        uids=numbers,
        gids=numbers,
        mtimes_ns=numbers,
        ctimes_ns=numbers,
        sizes_bytes=numbers,
    )


def path_of(found: EntryBatch) -> str:
    return os.path.join(found.directory, " ".join(found.names))


def found_beside(parent: list[str], walked: list[str]) -> Iterator[list[str]]:
    cursor = Cursor(lambda after_entry: map(batch, parent))
    for path in walked:
        yield [path_of(one) for one in cursor.beside(batch(path))]


@pytest.mark.parametrize(
    ("parent", "walked", "beside"),
    [
        pytest.param(["", "a b", "a/x"], ["", "a b", "a/x"], [[""], ["a b"], ["a/x"]], id="the same"),
        pytest.param(
            ["d/a b", "d/c e"], ["d/a", "d/b c", "d/d f"], [["d/a b"], ["d/a b", "d/c e"], ["d/c e"]], id="cut"
        ),
        pytest.param(["d/b c"], ["d/a", "d/b c", "d/e"], [[], ["d/b c"], []], id="more in the folder"),
        pytest.param(["a/x", "c/x"], ["a/x", "b/x", "c/x"], [["a/x"], [], ["c/x"]], id="a folder more"),
        pytest.param(["a/x", "b/x", "c/x"], ["a/x", "c/x"], [["a/x"], ["c/x"]], id="a folder less"),
        pytest.param(["a/x y", "a/b/x"], ["a/b/x"], [["a/b/x"]], id="a folder that only the parent has entries in"),
        pytest.param(["a-/x"], ["a/x", "a-/x"], [[], ["a-/x"]], id="order of folders, not of text"),
        pytest.param([], ["", "a"], [[], []], id="an empty parent"),
    ],
)
def test_what_the_parent_has_beside_each_batch(parent: list[str], walked: list[str], beside: list[list[str]]) -> None:
    assert list(found_beside(parent, walked)) == beside
