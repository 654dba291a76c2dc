"""Tree parts: some hundred consecutive entries of a sealed snapshot, named by the digest of their content.

Equal entries make equal parts, whatever snapshot they are in; so a part says nothing of the snapshot: not the name
of the source, nor where in the listing it begins.  docs/manifest.md specifies it.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from producer.listing.columns import cut, joined, with_segment_ids
from producer.listing.entry import EntryBatch
from producer.listing.frames import compress_lines, decode_line, decompress_lines, encode_line
from producer.listing.part_head import PartNeeds, WholeFiles, head_line, needs_in
from producer.listing.parts import checked_batches
from producer.listing.placed import PlacesReader
from producer.listing.places.map_parts import MAX_INLINE_COUNT, digest_of, large, map_lines
from producer.listing.places.places import Places
from tasks.errors import DamagedError

#: A part ends before an entry whose digest is a multiple of this, so it has some 300 entries: 32 KiB uncompressed.
_CUT_DIVISOR = 256
#: Of a part.  Short ones cost more than they save; long ones must fit into memory, and into one order.
_MIN_ENTRIES_COUNT = 64
_MAX_ENTRIES_COUNT = 2048
_MAX_MORE_BYTES = 1024 * 1024


def _no_maps(digest: bytes) -> bytes:
    raise DamagedError(f"tree part: it needs map part {digest.hex()}")


class TreePart(Struct, frozen=True, kw_only=True):
    """``digest``: BLAKE3 of the lines before compression, which names the part."""

    digest: bytes
    entries_count: int
    lines: tuple[bytes, ...]
    #: Without entries of their own.
    maps: tuple[TreePart, ...] = ()

    @property
    def needs(self) -> PartNeeds:
        return needs_in(self.lines[0])

    @property
    def data(self) -> bytes:
        """The part as it is stored.  Compressed at each call: most parts are known, and are never asked for it."""
        return compress_lines(self.lines)


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


def encode_tree_part(batches: Iterator[EntryBatch]) -> TreePart:
    numbers: dict[str, int] = {}
    maps: dict[bytes, TreePart] = {}
    lines, count, has_pieces = [], 0, False
    files_counts, files_bytes = defaultdict[int, int](int), defaultdict[int, int](int)
    for batch in batches:
        count += len(batch)
        places = _with_maps(batch.places, numbers, maps)
        lines.append(encode_line(replace(batch, source="", first_entry=0, places=places)))
        has_pieces = has_pieces or bool(places.pieces or places.maps)
        for number, size_bytes in zip(places.segments, batch.stored_sizes_bytes, strict=False):
            files_counts[number] += 1
            files_bytes[number] += size_bytes
    files = (WholeFiles(files_counts[number], files_bytes[number]) for number in numbers.values())
    lines.insert(0, head_line(numbers, maps, files, has_pieces=has_pieces))
    return TreePart(digest=digest_of(lines), entries_count=count, lines=tuple(lines), maps=tuple(maps.values()))


def _with_maps(places: Places, numbers: dict[str, int], maps: dict[bytes, TreePart]) -> Places:
    """The places as the part has them; ``numbers`` and ``maps`` grow by what they refer to."""
    names = large(places.pieces)
    if not names:
        return with_segment_ids(places, numbers)
    of_name: dict[str, list[str]] = {}
    for name in names:
        for lines in map_lines(places.pieces[name], places.segment_ids):
            part = TreePart(digest=digest_of(lines), entries_count=0, lines=lines)
            maps[part.digest] = part
            of_name.setdefault(name, []).append(part.digest.hex())
    few = {name: pieces for name, pieces in places.pieces.items() if name not in of_name}
    return replace(with_segment_ids(replace(places, pieces=few), numbers), maps=of_name)


def decode_tree_part(
    data: bytes, source: str, first_entry: int, load: Callable[[bytes], bytes] = _no_maps
) -> list[EntryBatch]:
    """The batches of a part at this place of a snapshot; ``load`` gives a map part, by its digest, as it is stored.

    Raises DamagedError on anything that is not a sound part.
    """
    first, *lines = decompress_lines(data)
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
