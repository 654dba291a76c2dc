"""Reads tree parts: nothing in them is believed, and none of it harms."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from producer.listing.entry import EntryBatch
from producer.listing.frames import decode_line, decompress_lines
from producer.listing.part_head import PartNeeds, needs_in
from producer.listing.parts import checked_batches
from producer.listing.places.map_parts import lines_of
from producer.listing.tree.placed import PlacesReader
from tasks.errors import DamagedError


def _no_maps(digest: bytes) -> bytes:
    raise DamagedError(f"tree part: it needs map part {digest.hex()}")


def decode_tree_part(
    data: bytes,
    source: str,
    first_entry: int,
    load: Callable[[bytes], bytes] = _no_maps,
    digest: bytes | None = None,
) -> list[EntryBatch]:
    """The batches of a part at this place of a snapshot; ``load`` gives a map part, by its digest, as it is stored.

    Raises DamagedError on anything that is not a sound part, or not that of ``digest``.
    """
    first, *lines = lines_of(data, digest)
    reader = PlacesReader(needs_in(first).segment_ids, load)
    batches: list[EntryBatch] = []
    for line in lines:
        batch = decode_line(line, EntryBatch)
        places = reader.places(batch)
        batches.append(replace(batch, source=source, first_entry=first_entry, places=places))
        first_entry += len(batch)
    return checked_batches(batches)


def needs_of(data: bytes) -> PartNeeds:
    """What a tree part or map part refers to."""
    return needs_in(decompress_lines(data)[0])
