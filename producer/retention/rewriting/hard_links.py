"""Hard links of which the first name goes: the next name that stays becomes the file.

In a snapshot the first name of a file has its data, and all others refer to that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from producer.listing.columns import cut, joined
from producer.listing.entry import EntryBatch
from producer.retention.rewriting.left_out import LeftOut

T = TypeVar("T")


def heirs_of(batches: Iterable[EntryBatch], left_out: LeftOut) -> dict[str, str]:
    """First name → the next name of the same file that stays, for each file that has one."""
    heirs: dict[str, str] = {}
    for batch in batches:
        gone = set(left_out.places(batch))
        for place, name in enumerate(batch.names) if batch.links else ():
            if batch.kinds[place] == "h" and place not in gone:
                heirs.setdefault(batch.links[name], batch.snapshot_path_at(place))
    return heirs


class HardLinks:
    """Gives the data of files that go to their heirs, which come later."""

    def __init__(self, heirs: Mapping[str, str]) -> None:
        self._heirs = heirs
        #: First name that is gone → the file, as a batch of one entry.
        self._gone: dict[str, EntryBatch] = {}

    def take(self, batch: EntryBatch, place: int) -> bool:
        """Keep the data of a file that goes for its heir; False if it has none."""
        path = batch.snapshot_path_at(place)
        if batch.kinds[place] != "f" or path not in self._heirs:
            return False
        self._gone[path] = cut(batch, place, place + 1)
        return True

    def settled(self, batch: EntryBatch) -> EntryBatch:
        """The batch, of entries that stay, with the data that they inherit."""
        if not self._gone or "h" not in batch.kinds:
            return batch
        pieces: list[EntryBatch] = []
        for place, name in enumerate(batch.names):
            one, first = cut(batch, place, place + 1), batch.links.get(name, "")
            if batch.kinds[place] == "h" and first in self._gone:
                heir = self._heirs[first]
                is_heir = heir == batch.snapshot_path_at(place)
                one = _renamed(self._gone[first], one) if is_heir else replace(one, links={name: heir})
            pieces.append(one)
        return joined(pieces)


def _renamed(file: EntryBatch, link: EntryBatch) -> EntryBatch:
    """The file in the place of the link; all names of a file have the same metadata."""
    name = link.names[0]
    by_name: dict[str, Any] = {
        column: _only(getattr(file, column), name) for column in ("data_ranges", "flags", "attributes", "unread")
    }
    return replace(
        file,
        source=link.source,
        directory=link.directory,
        first_entry=link.first_entry,
        names=link.names,
        births_ns=file.births_ns if link.births_ns else [],
        inodes=file.inodes if link.inodes else [],
        unsettled=_listed(file.unsettled, name),
        places=replace(file.places, pieces=_only(file.places.pieces, name)),
        **by_name,
    )


def _only(values: Mapping[str, T], name: str) -> dict[str, T]:
    """What a batch of one entry says by its name, by another."""
    return dict.fromkeys([name], *values.values()) if values else {}


def _listed(values: Sequence[str], name: str) -> list[str]:
    return [name] if values else []
