"""Where the bytes of the files of a snapshot are: by file, in any order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator
from itertools import chain, islice

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.holders import holders_of
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import Tree
from producer.listing import Entry
from producer.listing.data_ranges import DataRanges, part_of
from producer.listing.places.places import Place
from producer.pool.parity.group_reads import GroupReads
from producer.restore.planning.wanted import Wanted
from producer.restore.reading.ways import Piece


class StoredFile(Struct, frozen=True, kw_only=True):
    """A regular file, and its bytes: what no piece holds is zeros.

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
    """The files of one snapshot, with the objects that hold their bytes.  Not safe for several threads.

    ``present``: the ids of the devices that are there.
    """

    def __init__(
        self, catalog: Catalog, snapshot: SnapshotRow, wanted: Wanted, tree: Tree, present: Collection[str]
    ) -> None:
        self._tree = tree
        index = catalog.objects.of(tree.parts_of_segments)
        groups = GroupReads(catalog)
        self._holders = {
            key: holders_of(objects, present, lambda one: groups.can_read(one, present))
            for key, objects in index.items()
        }
        self._wanted = wanted
        self._raw_volumes = {source.name for source in snapshot.sources if source.mode == "raw"}

    def file(self, entry: Entry) -> StoredFile:
        """The file with its pieces, ascending."""
        unread = self._wanted.unread.get(entry.index)
        if unread is not None:
            return StoredFile(entry=entry, why_lost=f"not in the backup: {unread.holes[0]}")
        pieces = self._pieces(entry)
        return StoredFile(entry=entry, pieces=tuple(pieces), why_lost=self._why_lost(entry, pieces))

    def _pieces(self, entry: Entry) -> list[Piece]:
        (batch,) = self._tree.reader.batches(entry.index, entry.index + 1)
        place = entry.index - batch.first_entry
        pieces = (self._in_file(found, batch.ranges_at(place)) for found in batch.places_of(place))
        return sorted(chain.from_iterable(pieces), key=lambda piece: piece.offset_bytes)

    def _in_file(self, found: Place, ranges: DataRanges) -> Iterator[Piece]:
        """A place as pieces of the file itself, holes and all."""
        stream_offset_bytes = found.stream_offset_bytes
        for offset_bytes, size_bytes in part_of(ranges, found.offset_bytes, found.offset_bytes + found.size_bytes):
            for holder in self._holders.get(found.segment_id, ()):
                for part in holder.parts_of(stream_offset_bytes, size_bytes):
                    yield Piece(
                        object=holder.object,
                        stream_offset_bytes=part.stream_offset_bytes,
                        offset_bytes=offset_bytes + part.offset_bytes,
                        size_bytes=part.size_bytes,
                    )
            stream_offset_bytes += size_bytes

    def _why_lost(self, entry: Entry, pieces: list[Piece]) -> str:
        missing_bytes = entry.data_bytes - sum(piece.size_bytes for piece in pieces)
        if missing_bytes > 0 and entry.source not in self._raw_volumes:
            return f"no segment holds {missing_bytes} of its bytes"
        return ""
