"""What of a snapshot's tree another one takes over."""

from __future__ import annotations

from msgspec import Struct

from producer.catalog.tree import PartReference


class KnownPart(Struct, frozen=True, kw_only=True):
    """A part at its place in the new snapshot; its ``source`` is still that of the old one.

    ``changed``: the ranges of entries, [first, stop), of the batches that differ and reach into it; ascending.
    """

    part: PartReference
    changed: tuple[tuple[int, int], ...] = ()

    @property
    def first_entry(self) -> int:
        return self.part.first_entry

    @property
    def stop_entry(self) -> int:
        return self.part.first_entry + self.part.entries_count
