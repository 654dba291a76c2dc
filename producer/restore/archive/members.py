"""What goes into an archive: the entries at and below a path, in the order in which bundles hold files.

So an archive reads each unit once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.untaken import untaken
from producer.listing import Entry, ListingReader
from producer.restore.archive.depth_first import depth_first
from producer.restore.planning.selection import Selection
from producer.restore.planning.wanted import Wanted, find_wanted
from producer.restore.reading.stored_files import StoredFile, StoredFiles
from producer.restore.reading.ways import Piece


class Member(Struct, frozen=True, kw_only=True):
    """One member of an archive.  Its name is the entry's path in the snapshot.

    ``why_lost``: why it cannot be in the archive; "" if it can, as far as the catalog knows.
    """

    entry: Entry
    pieces: tuple[Piece, ...] = ()
    why_lost: str = ""

    @property
    def size_bytes(self) -> int:
        return self.entry.size_bytes if self.entry.kind == "file" else 0


class Members:
    """The members for ``path``, "" for the whole snapshot; raises UsageError when it names nothing.

    ``copies``: a hard link becomes a file of its own.  Otherwise only the first of those whose file is not below the
    path does, and the others are links to that.  ``present``: the ids of the devices that are there.
    """

    def __init__(
        self, catalog: Catalog, snapshot: SnapshotRow, path: str, *, copies: bool, present: Collection[str]
    ) -> None:
        self._catalog = catalog
        self._snapshot = snapshot
        self._copies = copies
        self._selection = Selection.of(path, (), ())
        self._tree = catalog.trees.of(snapshot.snapshot_id)
        self._wanted: Wanted = find_wanted(snapshot, self._tree, self._selection)
        self._reader: ListingReader = self._tree.reader
        self._files = StoredFiles(catalog, snapshot, self._wanted, self._tree, present)
        #: Snapshot path → index, of files that a hard link may stand for.
        self._firsts: dict[str, int] = {}
        #: Snapshot path of a file → the member that it became, where that is another path.
        self._moved: dict[str, str] = {}

    def untaken(self) -> Iterator[tuple[str, str]]:
        """What the backup could not take, and no segment tells of: path in the snapshot, and why."""
        troubles = self._catalog.troubles.all(self._snapshot.snapshot_id)
        for row in untaken(troubles, self._snapshot.sources):
            may_be_listed = row.entry_index is not None and self._reader.entry(row.entry_index).data_bytes
            if not may_be_listed and self._is_wanted(row.path):
                yield row.path, row.message

    def __iter__(self) -> Iterator[Member]:
        self._firsts = self._find_firsts()
        wanted = self._wanted
        batches = self._reader.batches(wanted.first_entry, wanted.stop_entry)
        return map(self._member, depth_first(self._reader, batches, self._is_wanted))

    def _is_wanted(self, snapshot_path: str) -> bool:
        return self._selection.place_of(snapshot_path, is_directory=True) is not None

    def _member(self, entry: Entry) -> Member:
        if entry.kind == "file":
            return _of(self._files.file(entry))
        return self._hard_link(entry) if entry.kind == "hardlink" else Member(entry=entry)

    def _hard_link(self, entry: Entry) -> Member:
        is_outside = self._selection.place_of(entry.link, is_directory=False) is None
        if not self._copies and not (is_outside and entry.link not in self._moved):
            return Member(entry=replace(entry, link=self._moved.get(entry.link, entry.link)))
        first = _of(self._files.file(self._reader.entry(self._firsts[entry.link])))
        self._moved[entry.link] = entry.snapshot_path
        return replace(first, entry=replace(first.entry, index=entry.index, source=entry.source, path=entry.path))

    def _find_firsts(self) -> dict[str, int]:
        if not self._wanted.has_links or not (self._copies or self._wanted.promoted):
            return {}
        links: set[str] = set(self._wanted.promoted)
        if self._copies:
            for batch in self._reader.batches(self._wanted.first_entry, self._wanted.stop_entry):
                links.update(
                    batch.links[name] for name, kind in zip(batch.names, batch.kinds, strict=True) if kind == "h"
                )
        found: dict[str, int] = {}
        for batch in self._tree.batches():
            prefix = f"{batch.source}/{batch.prefix}"
            for place, name in enumerate(batch.names):
                path = prefix + name if name else batch.source
                if path in links and batch.kinds[place] == "f":
                    found[path] = batch.first_entry + place
        return found


def _of(file: StoredFile) -> Member:
    return Member(entry=file.entry, pieces=file.pieces, why_lost=file.why_lost)
