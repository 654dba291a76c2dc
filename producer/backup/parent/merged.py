"""What the merge of the walk with the parent makes of one batch, and counts."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from producer.listing.entry import EntryBatch
from producer.listing.places.places import PlacesWriter


class Merged(NamedTuple):
    """A batch with the places of its unchanged files, and of what others are compared with.

    ``to_store``: the bytes to store of each entry; :data:`producer.listing.entry.NO_DATA` for files that are as in the
    parent, empty ones too.
    """

    batch: EntryBatch
    to_store: list[int]
    #: Whether a seal would make the parent's entries of it.
    is_same: bool = False


class FileCounts(Struct, kw_only=True):
    """Regular files by what the parent has of them; a moved one is unchanged, at another path."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    moved: int = 0
    #: Of the unchanged and moved ones: those that are stored again, because no device has them any more.
    again: int = 0
    again_bytes: int = 0


class Writers:
    """Of one batch: the places of unchanged files, those of files that are compared, and what is to be stored."""

    def __init__(self, batch: EntryBatch) -> None:
        self.unchanged = PlacesWriter(len(batch))
        self.former = PlacesWriter(len(batch))
        self.to_store = list(batch.stored_sizes_bytes)
