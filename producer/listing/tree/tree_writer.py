"""Tree parts: some hundred consecutive entries of a sealed snapshot, named by the digest of their content.

Equal entries make equal parts, whatever snapshot they are in; so a part says nothing of the snapshot: not the name
of the source, nor where in the listing it begins.  docs/manifest.md specifies it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from producer.listing.columns import cut, joined
from producer.listing.entry import EntryBatch
from producer.listing.places.map_parts import MAX_INLINE_COUNT
from producer.listing.tree.tree_part import TreePart, encode_tree_part

#: A part ends before an entry whose digest is a multiple of this, so it has some 300 entries: 32 KiB uncompressed.
_CUT_DIVISOR = 256
#: Of a part.  Short ones cost more than they save; long ones must fit into memory, and into one order.
_MIN_ENTRIES_COUNT = 64
_MAX_ENTRIES_COUNT = 2048
_MAX_MORE_BYTES = 1024 * 1024


class TreeWriter:
    """Turns sealed batches, in entry order, into parts.  Holds one part's entries, and the batch that it is given."""

    def __init__(self) -> None:
        self._batches: list[EntryBatch] = []
        self._entries_count = self._more_bytes = 0

    @property
    def open_entries_count(self) -> int:
        """How many entries the part has that is begun."""
        return self._entries_count

    def add(self, batch: EntryBatch) -> Iterator[TreePart]:
        """Add a batch; yields the parts that it completes.  No part reaches over the entry of a source itself."""
        if batch.names == [""]:
            yield from self.flush()
        start = 0
        for stop in self._cuts(batch):
            self._take(cut(batch, start, stop))
            yield from self.flush()
            start = stop
        self._take(cut(batch, start, len(batch)))

    def flush(self) -> Iterator[TreePart]:
        """Yields the part that is begun, if any."""
        if self._entries_count:
            yield encode_tree_part(_by_directory(self._batches))
        self._batches, self._entries_count, self._more_bytes = [], 0, 0

    def _take(self, batch: EntryBatch) -> None:
        if len(batch):
            self._batches.append(batch)
            self._entries_count += len(batch)
            self._more_bytes += _more_bytes(batch)

    def _cuts(self, batch: EntryBatch) -> list[int]:
        """Before which entries of the batch a part ends."""
        cuts: list[int] = []
        count, is_heavy = self._entries_count, self._more_bytes + _more_bytes(batch) > _MAX_MORE_BYTES
        if count + len(batch) <= _MIN_ENTRIES_COUNT and not is_heavy:
            return cuts
        seed = zlib.crc32(batch.prefix.encode("utf-8", "surrogateescape"))
        for place, name in enumerate(batch.names):
            if count >= _MIN_ENTRIES_COUNT or (is_heavy and count):
                is_end = zlib.crc32(name.encode("utf-8", "surrogateescape"), seed) % _CUT_DIVISOR == 0
                if is_end or is_heavy or count >= _MAX_ENTRIES_COUNT:
                    cuts.append(place)
                    count = 0
            count += 1
        return cuts


def _by_directory(batches: Sequence[EntryBatch]) -> Iterator[EntryBatch]:
    same: list[EntryBatch] = []
    for batch in batches:
        if same and (same[0].directory != batch.directory or "" in (same[-1].names[0], batch.names[0])):
            yield joined(same)
            same = []
        same.append(batch)
    if same:
        yield joined(same)


def _more_bytes(batch: EntryBatch) -> int:
    """What entries take beyond their names and numbers."""
    if not (batch.links or batch.attribute_sets or batch.places.pieces):
        return 0
    values = (len(value) for attributes in batch.attribute_sets for value in attributes.values())
    pieces_count = sum(min(len(pieces), MAX_INLINE_COUNT) for pieces in batch.places.pieces.values())
    return sum(map(len, batch.links.values())) + sum(values) + 32 * pieces_count
