"""The tree of a sealed snapshot, without a catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain

from producer.catalog.tree import PartReference, Tree
from producer.listing.entry import EntryBatch
from producer.listing.part_head import WholeFiles
from producer.listing.tree.decoding import needs_of
from producer.listing.tree.tree_part import TreePart
from producer.listing.tree.tree_writer import TreeWriter


class Stored:
    """The parts of a tree, in memory."""

    def __init__(self, parts: Iterable[TreePart]) -> None:
        self._data = {one.digest: one.data for part in parts for one in (part, *part.maps)}

    def data(self, digest: bytes) -> bytes:
        return self._data[digest]

    def data_of(self, digests: Collection[bytes]) -> dict[bytes, bytes]:
        return {digest: self._data[digest] for digest in digests}

    def look_into(self, digests: Collection[bytes]) -> None:
        """Nothing is far away."""

    def segment_ids(self, digest: bytes) -> list[str]:
        ids = (needs_of(self._data[one]).segment_ids for one in (digest, *self.maps(digest)))
        return list(dict.fromkeys(chain.from_iterable(ids)))

    def whole_files(self, digest: bytes) -> Mapping[str, WholeFiles] | None:
        return needs_of(self._data[digest]).whole_files

    def maps(self, digest: bytes) -> list[bytes]:
        return needs_of(self._data[digest]).maps


class SealedTree(Tree):
    def __init__(self, sources: Sequence[str], parts: Sequence[PartReference], stored: Stored) -> None:
        super().__init__(sources, parts, stored)
        self.stored = stored


def sealed_tree(
    batches: Iterable[EntryBatch], sources: Sequence[str] = ("src",), ends: Collection[int] = ()
) -> SealedTree:
    """The batches, in entry order, as the parts of a tree; ``ends``: after which batches another part ends."""
    writer, parts, owners, source = TreeWriter(), list[TreePart](), list[str](), ""
    for number, batch in enumerate(batches):
        # The first batch of a source ends the last part of the one before.
        ended = list(writer.add(batch))
        parts += ended
        owners += [source] * len(ended)
        source = batch.source
        ended = list(writer.flush()) if number in ends else []
        parts += ended
        owners += [source] * len(ended)
    ended = list(writer.flush())
    parts += ended
    owners += [source] * len(ended)
    references, first = list[PartReference](), 0
    for part, owner in zip(parts, owners, strict=True):
        count, of = part.entries_count, sources.index(owner)
        references.append(PartReference(digest=part.digest, source=of, first_entry=first, entries_count=count))
        first += count
    return SealedTree(sources, references, Stored(parts))
