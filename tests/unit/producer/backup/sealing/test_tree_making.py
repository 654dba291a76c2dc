"""A tree is the same whether its parts are made again or taken over from the parent; most are taken over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from kit.models.sealed import sealed_tree
from producer.backup.parent.cursor import Cursor
from producer.backup.parent.same_entries import SameEntries, is_as_sealed
from producer.backup.sealing.tree_making import TreeMaking
from producer.catalog.known_parts import KnownPart
from producer.catalog.tree import PartReference, Tree
from producer.listing.columns import joined
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Places
from producer.listing.tree.tree_part import TreePart

#: Source → folder → name of a file → its time.
Model = dict[str, dict[str, dict[str, int]]]


def model() -> Model:
    """Parts end within the large folders, and some have many folders."""
    folders = {f"{n:02}": {f"{n}-{at}": 1 for at in range(20 + n * n)} for n in range(30)}
    return {"one": folders, "two": {name: dict(files) for name, files in folders.items()}}


def sealed(tree: Model) -> Iterator[EntryBatch]:
    first = 0
    for source, folders in tree.items():
        for folder, files in {"": {"": 1}, **folders}.items():
            count, is_root = len(files), folder == ""
            yield EntryBatch(
                source=source,
                first_entry=first,
                directory=folder,
                names=sorted(files),
                kinds=("d" if is_root else "f") * count,
                modes=[0o755] * count,
                uids=[0] * count,
                gids=[0] * count,
                mtimes_ns=[files[name] for name in sorted(files)],
                ctimes_ns=[0] * count,
                sizes_bytes=[-1 if is_root else 7] * count,
                inodes=[0] * count,
                births_ns=[None] * count,
                places=Places()
                if is_root
                else Places(segment_ids=["a" * 32], segments=[0] * count, stream_offsets_bytes=[0] * count),
            )
            first += count


def known_parts(tree: Model, parent: Tree) -> list[KnownPart]:
    """As a merge of the walk with the parent finds them."""
    same = SameEntries()
    cursors = {name: Cursor(partial(parent.readable, number, lambda error: None)) for number, name in enumerate(tree)}
    for batch in sealed(tree):
        beside = cursors[batch.source].beside(batch)
        if [name for one in beside for name in one.names] == batch.names:
            same.add(batch, joined(beside), is_same=is_as_sealed(batch, joined(beside)))
    return same.parts(parent.parts)


def nothing(tree: Model) -> None:
    """As it was."""


def touch(tree: Model) -> None:
    tree["one"]["15"]["15-100"] = 2


def touch_one_in_each_folder(tree: Model) -> None:
    for folders in tree.values():
        for folder, files in folders.items():
            files[f"{int(folder)}-7"] = 2


def touch_all_of_some_folders(tree: Model) -> None:
    for folder in ("00", "01", "25", "29"):
        tree["two"][folder] = dict.fromkeys(tree["two"][folder], 2)


def add(tree: Model) -> None:
    tree["one"]["20"]["20-3x"] = 1


def remove_many(tree: Model) -> None:
    for name in list(tree["two"]["22"])[::3]:
        del tree["two"]["22"][name]


def remove_a_folder(tree: Model) -> None:
    del tree["one"]["07"]


def remove_the_end(tree: Model) -> None:
    del tree["one"]["29"]


CHANGES = [nothing, touch, touch_one_in_each_folder, touch_all_of_some_folders]
OTHER_NAMES = [add, remove_many, remove_a_folder, remove_the_end]


@pytest.mark.parametrize("change", [*CHANGES, *OTHER_NAMES])
def test_parts_taken_over_are_those_that_would_be_made(change: Callable[[Model], None]) -> None:
    parent, tree = sealed_tree(sealed(model()), ("one", "two")), model()
    change(tree)
    expected = sealed_tree(sealed(tree), ("one", "two"))

    making = TreeMaking(["one", "two"], known_parts(tree, parent), parent.stored.data)
    found: list[tuple[int, TreePart | PartReference]] = []
    for batch in sealed(tree):
        if making.needs(batch.first_entry, batch.stop_entry):
            found += making.add(batch)
    found += making.flush()

    assert [(number, part.digest, part.entries_count) for number, part in found] == [
        (part.source, part.digest, part.entries_count) for part in expected.parts
    ]
    new = {part.digest for part in expected.parts} - {part.digest for part in parent.parts}
    made = {part.digest for _, part in found if isinstance(part, TreePart)}
    assert len(made - new) <= len(found) / 3
    assert {part.digest: part.data for _, part in found if isinstance(part, TreePart)} == {
        digest: expected.stored.data(digest) for digest in made
    }


@pytest.mark.parametrize("change", CHANGES)
def test_where_no_name_has_changed_few_batches_are_needed_but_those_that_differ(
    change: Callable[[Model], None],
) -> None:
    parent, tree = sealed_tree(sealed(model()), ("one", "two")), model()
    change(tree)
    making = TreeMaking(["one", "two"], known_parts(tree, parent), parent.stored.data)
    needed = 0
    for batch in sealed(tree):
        if making.needs(batch.first_entry, batch.stop_entry):
            needed += 1
            list(making.add(batch))
    differing = sum(one != other for one, other in zip(sealed(tree), sealed(model()), strict=True))
    assert needed <= differing + len(list(sealed(tree))) / 3


def test_without_a_parent_all_parts_are_made() -> None:
    expected = sealed_tree(sealed(model()), ("one", "two"))
    making = TreeMaking(["one", "two"], [], expected.stored.data)
    found = [one for batch in sealed(model()) for one in making.add(batch)] + list(making.flush())
    assert [part.digest for _, part in found] == [part.digest for part in expected.parts]
