"""Listing parts: from batches of entries to compressed parts and back.

A part never changes.  It is decoded as if a stranger had written it: its names become paths that a restore creates.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from msgspec import Struct

from producer.listing.data_ranges import are_sound
from producer.listing.entry import KINDS, NO_DATA, EntryBatch
from producer.listing.frames import compress_lines, decode_line, decompress_lines, encode_line
from tasks.errors import DamagedError
from tasks.values import is_safe_path

#: A part is closed at about this size: some 5,000 entries, decoded in 10 ms.  Whoever needs one entry decodes a part.
_PART_BYTES = 512 * 1024
#: A part lives for one run, so the fastest level serves it best.
_LEVEL = 1

#: A file that lies in a million places is one line: that of a parent's file has them all, though tree parts do not.
_MAX_BYTES = 128 * 1024 * 1024
_MAX_VALUES_COUNT = 8 * 1024 * 1024


class ListingPart(Struct, frozen=True, kw_only=True):
    """One part.  ``number`` counts from 0; ``data`` is one zstd frame, far below what one order carries."""

    number: int
    first_entry: int
    entries_count: int
    data: bytes


class ListingWriter:
    """Turns batches, given in entry order, into parts.  Holds the lines of one part only."""

    def __init__(self) -> None:
        self._number = 0
        self._first_entry = 0
        self._stop_entry = 0
        self._lines: list[bytes] = []
        self._lines_bytes = 0

    def add(self, batch: EntryBatch) -> Iterator[ListingPart]:
        """Add ``batch``; yields the part that it completes, if any."""
        if batch.first_entry != self._stop_entry:
            raise ValueError(f"batch begins at entry {batch.first_entry}, expected {self._stop_entry}")
        line = encode_line(batch)
        if self._lines_bytes + len(line) > _PART_BYTES:
            yield from self.flush()
        self._lines.append(line)
        self._lines_bytes += len(line)
        self._stop_entry = batch.stop_entry

    def flush(self) -> Iterator[ListingPart]:
        """Yields the last part, if any entries are left."""
        if not self._lines:
            return
        yield ListingPart(
            number=self._number,
            first_entry=self._first_entry,
            entries_count=self._stop_entry - self._first_entry,
            data=compress_lines(self._lines, level=_LEVEL),
        )
        self._number += 1
        self._first_entry = self._stop_entry
        self._lines = []
        self._lines_bytes = 0


def decode_part(data: bytes) -> list[EntryBatch]:
    """The batches of a part, in entry order; raises DamagedError on anything that is not a sound part."""
    lines = decompress_lines(data, max_bytes=_MAX_BYTES)
    return checked_batches([decode_line(line, EntryBatch, max_values_count=_MAX_VALUES_COUNT) for line in lines])


def checked_batches(batches: list[EntryBatch]) -> list[EntryBatch]:
    """The same batches; raises DamagedError unless each is sound, and follows the one before."""
    for batch in batches:
        flaw = _flaw_of(batch)
        if flaw:
            raise DamagedError(f"listing part, batch at entry {batch.first_entry}: {flaw}")
    for before, after in itertools.pairwise(batches):
        if before.stop_entry != after.first_entry:
            raise DamagedError(f"listing part: batch at entry {after.first_entry} does not follow the one before")
    return batches


def _flaw_of(batch: EntryBatch) -> str | None:
    columns = (batch.kinds, batch.modes, batch.uids, batch.gids, batch.mtimes_ns, batch.ctimes_ns, batch.sizes_bytes)
    count = len(batch.names)
    if set(map(len, columns)) != {count} or len(batch.inodes) not in (0, count):
        return "columns differ in length"
    if batch.kinds.strip("f") and not KINDS.keys() >= set(batch.kinds):
        return f"unknown kind of entry in {batch.kinds!r}"
    if not (_names_are_safe(batch) and is_safe_path(batch.directory)):
        return "a name leaves its directory"
    if not _only_files_have_sizes(batch):
        return "an entry that is no regular file has a size"
    return _links_flaw_of(batch) or _attributes_flaw_of(batch) or _data_ranges_flaw_of(batch)


def _only_files_have_sizes(batch: EntryBatch) -> bool:
    if not batch.kinds.strip("f"):
        return True
    with_size = [kind for kind, size in zip(batch.kinds, batch.sizes_bytes, strict=True) if size > NO_DATA]
    return with_size.count("f") == len(with_size)


def _data_ranges_flaw_of(batch: EntryBatch) -> str | None:
    if not batch.data_ranges:
        return None
    sizes = {name: size for name, size in zip(batch.names, batch.sizes_bytes, strict=True) if size > 0}
    if not batch.data_ranges.keys() <= sizes.keys():
        return "ranges of data belong to no file"
    if not all(are_sound(ranges, sizes[name]) for name, ranges in batch.data_ranges.items()):
        return "ranges of data overlap, or reach beyond their file"
    return None


def _attributes_flaw_of(batch: EntryBatch) -> str | None:
    if batch.births_ns and len(batch.births_ns) != len(batch.names):
        return "columns differ in length"
    if not (batch.attributes or batch.flags):
        return None
    if not (batch.attributes.keys() | batch.flags.keys()) <= set(batch.names):
        return "attributes or flags belong to no entry"
    if any(place >= len(batch.attribute_sets) for place in batch.attributes.values()):
        return "attributes of an entry are missing"
    return None


def _names_are_safe(batch: EntryBatch) -> bool:
    if batch.names == [""]:
        return batch.directory == ""
    # One scan over all names together costs a tenth of one for each name.
    together = "".join(batch.names)
    return "/" not in together and "\0" not in together and {"", ".", ".."}.isdisjoint(batch.names)


def _links_flaw_of(batch: EntryBatch) -> str | None:
    if not batch.links and "l" not in batch.kinds and "h" not in batch.kinds:
        return None
    linked = 0
    for name, kind in zip(batch.names, batch.kinds, strict=True):
        if kind in "lh":
            linked += 1
            link = batch.links.get(name, "")
            if not link or (kind == "h" and not is_safe_path(link)):
                return "a link leads nowhere, or out of the snapshot"
    return "a link belongs to no entry" if linked != len(batch.links) else None
