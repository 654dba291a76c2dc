"""The tree parts of a snapshot, source by source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from producer.listing.entry import EntryBatch
from producer.listing.tree.tree_part import TreePart
from producer.listing.tree.tree_writer import TreeWriter


def parts_of_sources(batches: Iterable[EntryBatch], sources: Sequence[str]) -> Iterator[tuple[int, TreePart]]:
    """The parts of a snapshot's sealed entries, which come in order, each with the number of its source."""
    writer, numbers = TreeWriter(), {name: number for number, name in enumerate(sources)}
    source = ""
    for batch in batches:
        # The first batch of a source ends the last part of the one before.
        for part in writer.add(batch):
            yield numbers[source], part
        source = batch.source
    for part in writer.flush():
        yield numbers[source], part
