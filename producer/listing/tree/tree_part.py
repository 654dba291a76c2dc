"""One tree part, made line by line.

A line depends on its own entries alone: it has the ids of its own segments, so that it is the same in another part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from producer.listing.columns import with_own_ids
from producer.listing.entry import EntryBatch
from producer.listing.frames import compress_lines, encode_line
from producer.listing.part_head import PartNeeds, WholeFiles, head_line, needs_in
from producer.listing.places.map_parts import digest_of, large, map_lines
from producer.listing.places.places import Places

#: A part is too short for what higher levels do: level 3 makes it 2 % larger, and takes a third longer.
_LEVEL = 1


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
        return compress_lines(self.lines, level=_LEVEL)


class Line(NamedTuple):
    """A batch as it stands in a part, and what the first line says of it."""

    data: bytes
    segment_ids: Sequence[str]
    files: Mapping[str, WholeFiles]
    maps: Mapping[bytes, TreePart]
    has_pieces: bool


def line_of(batch: EntryBatch) -> Line:
    maps: dict[bytes, TreePart] = {}
    places = with_own_ids(batch.places)
    names = large(places.pieces)
    if names:
        places = _with_maps(places, names, maps)
    data = encode_line(replace(batch, source="", first_entry=0, places=places))
    return Line(data, places.segment_ids, whole_files(batch, places), maps, bool(places.pieces or places.maps))


def whole_files(batch: EntryBatch, places: Places) -> dict[str, WholeFiles]:
    """How many files of the batch, which has these places, lie as a whole in each segment that these name."""
    count = len(places.segment_ids)
    # The last one is for entries without such a place.
    counts, sizes_bytes = [0] * (count + 1), [0] * (count + 1)
    for number, size_bytes in zip(places.segments, batch.stored_sizes_bytes, strict=False):
        counts[number] += 1
        sizes_bytes[number] += size_bytes
    return {one: WholeFiles(counts[at], sizes_bytes[at]) for at, one in enumerate(places.segment_ids)}


def encode_tree_part(batches: Iterator[EntryBatch]) -> TreePart:
    lines, entries_count = list[Line](), 0
    for batch in batches:
        lines.append(line_of(batch))
        entries_count += len(batch)
    files: dict[str, WholeFiles] = {}
    for line in lines:
        add_files(files, line.files)
    maps = {digest: one for line in lines for digest, one in line.maps.items()}
    head = head_line(files, maps, files.values(), has_pieces=any(line.has_pieces for line in lines))
    return part_of((head, *(line.data for line in lines)), entries_count, maps.values())


def add_files(to: dict[str, WholeFiles], files: Mapping[str, WholeFiles], factor: int = 1) -> None:
    """``factor``: -1 takes them away."""
    for segment_id, more in files.items():
        known = to.get(segment_id, WholeFiles(0, 0))
        to[segment_id] = WholeFiles(
            known.files_count + factor * more.files_count, known.size_bytes + factor * more.size_bytes
        )


def part_of(lines: tuple[bytes, ...], entries_count: int, maps: Iterable[TreePart] = ()) -> TreePart:
    return TreePart(digest=digest_of(lines), entries_count=entries_count, lines=lines, maps=tuple(maps))


def _with_maps(places: Places, names: Sequence[str], maps: dict[bytes, TreePart]) -> Places:
    """The places as a line has them; ``maps`` grows by what it refers to for the files called ``names``."""
    of_name: dict[str, list[str]] = {}
    for name in names:
        for lines in map_lines(places.pieces[name], places.segment_ids):
            part = part_of(lines, 0)
            maps[part.digest] = part
            of_name.setdefault(name, []).append(part.digest.hex())
    few = {name: pieces for name, pieces in places.pieces.items() if name not in of_name}
    return replace(with_own_ids(replace(places, pieces=few)), maps=of_name)
