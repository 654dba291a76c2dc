"""Where the bytes of the files of a snapshot are: by file, in any order."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing import Entry, ListingReader
from producer.listing.data_ranges import data_before
from producer.restore.planning.as_read import AsRead
from producer.restore.planning.picks import Pick, Picks
from producer.restore.planning.selection import Selection
from producer.restore.planning.wanted import Wanted
from producer.restore.reading.ways import Piece

#: Bundles whose extents are remembered: some 1,700 files each.
_BUNDLES_COUNT = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """A regular file as it was read, and its bytes: what no piece holds is zeros.

    ``why_lost``: why its bytes cannot be had at all; "" if they can, as far as the catalog knows.
    """

    entry: Entry
    pieces: tuple[Piece, ...] = ()
    why_lost: str = ""

    def pieces_in(self, start_bytes: int, stop_bytes: int) -> Iterator[Piece]:
        """The parts of the pieces that lie in [start_bytes, stop_bytes) of the file."""
        first = bisect_right(self.pieces, start_bytes, key=lambda piece: piece.stop_bytes)
        for piece in islice(self.pieces, first, None):
            if piece.offset_bytes >= stop_bytes:
                return
            yield piece.up_to(stop_bytes).after(start_bytes)


class StoredFiles:
    """The segments of one snapshot by the entries whose bytes they hold.  Not safe for several threads."""

    def __init__(self, catalog: Catalog, snapshot: SnapshotRow, wanted: Wanted, reader: ListingReader) -> None:
        self._catalog = catalog
        self._snapshot_id = snapshot.snapshot_id
        self._wanted = wanted
        self._raw_volumes = {source.name for source in snapshot.sources if source.mode == "raw"}
        everything = Selection.of("", (), ())
        limit_bytes = snapshot.bundle_limit_bytes
        self._picks = Picks(reader, limit_bytes, everything, wanted, set(wanted.not_stored), lambda path: path)
        self._as_read = AsRead(wanted)
        #: First entry of each bundle, ascending, and for each of them where it ends and its number.
        self._firsts: list[int] = []
        self._bundles: list[tuple[int, int]] = []
        #: Entry → the numbers of the segments that hold nothing else.
        self._own: dict[int, list[int]] = {}
        self._take_segments()
        self._recent: OrderedDict[int, tuple[SegmentRow, Mapping[int, list[Pick]]]] = OrderedDict()

    def file(self, entry: Entry) -> StoredFile:
        """The file with the size and metadata that it had when it was read, which may not be what the walk saw."""
        unread = self._wanted.unread.get(entry.index)
        if unread is not None:
            return StoredFile(entry=entry, why_lost=f"not in the backup: {unread.holes[0]}")
        found = self._found(entry.index) if entry.size_bytes else []
        entry = self._entry_as_read(entry, found)
        pieces = [Piece.of(row, pick).up_to(entry.size_bytes) for row, pick in found]
        pieces = sorted((piece for piece in pieces if piece.size_bytes > 0), key=lambda piece: piece.offset_bytes)
        return StoredFile(entry=entry, pieces=tuple(pieces), why_lost=self._why_lost(entry, pieces))

    def as_read(self, entry: Entry) -> Entry:
        """The entry as it was read, as far as is known without its segments."""
        return self._entry_as_read(entry, [])

    def _why_lost(self, entry: Entry, pieces: list[Piece]) -> str:
        ranges = [(0, entry.size_bytes)] if entry.data_ranges is None else entry.data_ranges
        missing_bytes = data_before(ranges, entry.size_bytes) - sum(piece.size_bytes for piece in pieces)
        if missing_bytes > 0 and entry.source not in self._raw_volumes:
            return f"no segment holds {missing_bytes} of its bytes"
        return ""

    def _entry_as_read(self, entry: Entry, found: list[tuple[SegmentRow, Pick]]) -> Entry:
        size_bytes = self._wanted.short.get(entry.index, entry.size_bytes)
        if len(found) == 1 and found[0][1].metadata:
            mode, uid, gid, mtime_ns = found[0][1].metadata
            attributes = found[0][1].attributes
            return replace(
                entry, size_bytes=size_bytes, mode=mode, uid=uid, gid=gid, mtime_ns=mtime_ns, attributes=attributes
            )
        return replace(
            entry,
            size_bytes=size_bytes,
            mode=self._as_read.mode(entry.index, entry.mode),
            mtime_ns=self._as_read.mtime_ns(entry.index, entry.mtime_ns),
            attributes=self._as_read.attributes(entry.index, entry.attributes),
        )

    def _take_segments(self) -> None:
        bundles: list[tuple[int, int, int]] = []
        for row in self._catalog.segments.stored(self._snapshot_id):
            if row.stop_entry - row.first_entry == 1:
                self._own.setdefault(row.first_entry, []).append(row.number)
            else:
                bundles.append((row.first_entry, row.stop_entry, row.number))
        bundles.sort()
        self._firsts = [first for first, _, _ in bundles]
        self._bundles = [(stop, number) for _, stop, number in bundles]

    def _found(self, entry: int) -> list[tuple[SegmentRow, Pick]]:
        """The segments that hold bytes of the entry, with where."""
        if entry in self._own:
            rows = self._catalog.segments.by_number(self._snapshot_id, self._own[entry])
            return [(row, pick) for row in rows for pick in self._picks.of(row)]
        place = bisect_right(self._firsts, entry) - 1
        if place < 0 or self._bundles[place][0] <= entry:
            return []
        row, picks = self._bundle(self._bundles[place][1])
        return [(row, pick) for pick in picks.get(entry, ())]

    def _bundle(self, number: int) -> tuple[SegmentRow, Mapping[int, list[Pick]]]:
        if number in self._recent:
            self._recent.move_to_end(number)
            return self._recent[number]
        (row,) = self._catalog.segments.by_number(self._snapshot_id, [number])
        picks: dict[int, list[Pick]] = {}
        for pick in self._picks.of(row):
            picks.setdefault(pick.entry, []).append(pick)
        self._recent[number] = row, picks
        if len(self._recent) > _BUNDLES_COUNT:
            self._recent.popitem(last=False)
        return self._recent[number]
