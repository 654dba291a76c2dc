"""One snapshot by path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.models.sealed import sealed_tree
from kit.tree import HardLink, Tree
from producer.requests import Exclusions, Source
from producer.restore.mounted.tree import SnapshotTree
from producer.walk import Walk


def tree_of(*roots: Path) -> SnapshotTree:
    walk = Walk(
        [Source(name=root.name, path=root) for root in roots],
        Exclusions(),
        on_trouble=lambda trouble: pytest.fail(trouble.message),
        on_progress=lambda files, size: None,
    )
    return SnapshotTree(sealed_tree(walk.batches(), [root.name for root in roots]))


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> SnapshotTree:
    """A folder of 9,000 files, in several batches."""
    root = tmp_path_factory.mktemp("tree") / "wide"
    root.mkdir()
    for number in range(9000):
        os.close(os.open(root / f"file {number}", os.O_CREAT | os.O_WRONLY))
    return tree_of(root)


@pytest.mark.parametrize("number", [0, 4094, 4095, 4096, 4097, 8191, 8192, 8999])
def test_any_file_of_a_huge_folder_is_found(wide: SnapshotTree, number: int) -> None:
    name = sorted(f"file {number}" for number in range(9000))[number]
    entry = wide.entry(f"wide/{name}")

    assert entry is not None and entry.path == name
    assert wide.entry(f"wide/{name}x") is None


def test_a_huge_folder_is_listed_whole_and_in_order(wide: SnapshotTree) -> None:
    names = [name for name, _, _ in wide.names("wide")]
    assert names == sorted(f"file {number}" for number in range(9000))


def test_entries_are_found_by_path_in_any_source(tmp_path: Path) -> None:
    first = Tree({"a/b": b"1", "a/c": HardLink("a/b"), b"a/\xff": b"2", "empty": b""}).make(tmp_path / "first")
    (tmp_path / "single").write_bytes(b"3")
    tree = tree_of(first, tmp_path / "single")

    assert sorted(name for name, _, _ in tree.names("")) == ["first", "single"]
    assert [(name, kind) for name, kind, _ in tree.names("first/a")] == [("b", "f"), ("c", "h"), ("\udcff", "f")]
    assert {path: tree.entry(path) is not None for path in ("first/a/\udcff", "single", "first", "a", "first/x/y")} == {
        "first/a/\udcff": True,
        "single": True,
        "first": True,
        "a": False,
        "first/x/y": False,
    }
    link = tree.entry("first/a/c")
    assert link is not None
    file = tree.file_of(link)
    assert file is not None and file.path == "a/b" and tree.links_count(file) == 2
