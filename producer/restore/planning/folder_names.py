"""What the snapshot has in each restored folder, as questions about what else is there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import groupby

from producer.catalog.tree import Tree
from producer.listing import EntryBatch
from producer.restore.planning.picks import snapshot_path
from tasks.errors import CatalogError
from tasks.orders.target_looks import FolderNames

#: Of one question, and of one order: a name takes up to 255 bytes, usually 20.
_NAMES_COUNT = 5_000
_FOLDERS_COUNT = 1_000


def names_by_folder(tree: Tree) -> Iterator[tuple[str, list[str]]]:
    """The folders of the snapshot that hold anything, by path, with the names of all that they hold.

    Raises CatalogError for a listing that returns to a folder: what it names there later must not count as surplus.
    """
    seen: set[str] = set()
    for folder, group in groupby((batch for batch in tree.batches() if batch.names != [""]), key=_folder_of):
        if folder in seen:
            raise CatalogError(f"the catalog lists folder {folder!r} in two parts", path=folder)
        seen.add(folder)
        yield folder, [name for batch in group for name in batch.names]


def _folder_of(batch: EntryBatch) -> str:
    return snapshot_path(batch.source, batch.directory)


def questions(folders: Iterable[tuple[str, list[str]]]) -> Iterator[FolderNames]:
    """One question for each folder of the target, more for one of many names."""
    for path, names in folders:
        ordered = sorted(names, key=os.fsencode)
        bounds = [*ordered[_NAMES_COUNT - 1 : -1 : _NAMES_COUNT], ""]
        after = ""
        for number, until in enumerate(bounds):
            chunk = ordered[number * _NAMES_COUNT : (number + 1) * _NAMES_COUNT]
            yield FolderNames(path=path, names=tuple(chunk), after=after, until=until)
            after = until


def in_orders(asked: Iterable[FolderNames]) -> Iterator[tuple[FolderNames, ...]]:
    """The questions in groups that fit into one order each."""
    group: list[FolderNames] = []
    names_count = 0
    for question in asked:
        if group and (len(group) == _FOLDERS_COUNT or names_count + len(question.names) > _NAMES_COUNT):
            yield tuple(group)
            group, names_count = [], 0
        group.append(question)
        names_count += len(question.names)
    if group:
        yield tuple(group)
