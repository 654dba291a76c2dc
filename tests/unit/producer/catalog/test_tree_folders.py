"""One folder of a sealed snapshot, found without reading the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.models.rows import T0, begin, plan
from producer.catalog.catalog import Catalog
from producer.catalog.tree import Tree
from producer.listing.entry import EntryBatch
from producer.listing.tree.tree_writer import TreeWriter

#: Folder → how many files it has, in the order of the walk: "a/b" comes before "a.b", as "/" sorts first.
FOLDERS = {"": 3, "a": 3000, "a/b": 2, "a/b/c": 1, "a.b": 700, "z": 1}


def batch(directory: str, names: list[str]) -> EntryBatch:
    zeros = [0] * len(names)
    return EntryBatch(
        source="data",
        directory=directory,
        names=names,
        kinds=("d" if names == [""] else "f") * len(names),
        modes=zeros,
        uids=zeros,
        gids=zeros,
        mtimes_ns=zeros,
        ctimes_ns=zeros,
        sizes_bytes=[-1] if names == [""] else zeros,
        inodes=zeros,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    batches = [batch("", [""])]
    batches += [batch(folder, [f"{n:04}" for n in range(count)]) for folder, count in FOLDERS.items()]
    writer = TreeWriter()
    parts = [part for one in batches for part in writer.add(one)] + list(writer.flush())
    with Catalog(tmp_path_factory.mktemp("state") / "catalog.sqlite") as catalog:
        snapshot_id = begin(catalog, "home")
        plan(catalog, snapshot_id, 0, entries_count=sum(map(len, batches)))
        catalog.trees.write(snapshot_id, [(0, part) for part in parts])
        catalog.snapshots.seal(snapshot_id, T0, b"h" * 32)
        yield catalog.trees.of(snapshot_id)


def names(tree: Tree, directory: str, name: str = "") -> list[str]:
    return [entry for batch in tree.folder("data", directory, name) for entry in batch.names]


def test_each_folder_has_its_entries_and_no_others(tree: Tree) -> None:
    for folder, count in FOLDERS.items():
        assert names(tree, folder) == [f"{n:04}" for n in range(count)], folder
    assert names(tree, "nothing") == []
    assert list(tree.folder("nobody", "")) == []
    assert [one.names for one in tree.own_entries()] == [[""]]


def test_the_batch_with_a_name_comes_first(tree: Tree) -> None:
    first = next(tree.folder("data", "a", "1500"))
    assert "1500" in first.names
    assert names(tree, "a", "9") == []


def test_few_parts_are_read_for_a_folder(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    data = tree._stored.data

    def counted(digest: bytes) -> bytes:
        read.append(digest)
        return data(digest)

    monkeypatch.setattr(tree._stored, "data", counted)
    assert len(tree.parts) > 8
    assert names(tree, "z") == ["0000"]
    assert len(read) <= len(tree.parts).bit_length() + 1
