"""One pass over the entries of a snapshot, before a restore orders anything."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import Tree
from producer.listing import EntryBatch
from producer.restore.planning.selection import Selection
from producer.restore.planning.unread import UnreadFile, unread_file
from tasks.errors import UsageError


class Wanted(Struct, kw_only=True):
    """The result of a selection."""

    #: All wanted entries have indexes in [first_entry, stop_entry).
    first_entry: int = 0
    stop_entry: int = 0
    #: Wanted files that are not empty and the bytes stored of them, for the progress; without ``promoted`` ones.
    files_count: int = 0
    bytes_total: int = 0
    #: Whether any wanted entry is a hard link.
    has_links: bool = False
    #: Snapshot paths of the folders above wanted entries, where patterns may leave them out.
    on_the_way: set[str] = field(default_factory=set)
    #: Snapshot path of a file that is not wanted itself → target path of the first hard link to it that is.
    promoted: dict[str, str] = field(default_factory=dict)
    #: Entries whose data lies in several places, or not all of it anywhere; files with holes, and raw volumes.
    pieced: set[int] = field(default_factory=set)
    #: Entries that the backup could not read, or not all of it; there may be some among them that are not wanted.
    unread: dict[int, UnreadFile] = field(default_factory=dict)
    #: Those of ``unread`` that are not restored, not even with holes.
    not_stored: set[int] = field(default_factory=set)


def find_wanted(
    snapshot: SnapshotRow,
    tree: Tree,
    selection: Selection,
    *,
    may_lack_parts: bool = False,
) -> Wanted:
    """Raises UsageError when nothing in the snapshot is wanted.

    ``may_lack_parts``: a file that shares its segment with no other counts as pieced, because it may be restored
    without some parts.
    """
    search = _Search(snapshot, tree, selection, may_lack_parts=may_lack_parts)
    search.run()
    return search.wanted


class _Search:
    def __init__(
        self,
        snapshot: SnapshotRow,
        tree: Tree,
        selection: Selection,
        *,
        may_lack_parts: bool,
    ) -> None:
        self.wanted = Wanted()
        self._snapshot = snapshot
        self._tree = tree
        self._selection = selection
        self._may_lack_parts = may_lack_parts
        self._of_one_file = _segments_of_one_file(tree) if may_lack_parts else set[str]()
        self._raw_volumes = {source.name for source in snapshot.sources if source.mode == "raw"}
        self._links: list[tuple[str, str]] = []
        self._first: int | None = None

    def run(self) -> None:
        for batch in self._tree.batches():
            self._look_through(batch)
        if self._first is None:
            raise self._nothing()
        self.wanted.first_entry = self._first
        self.wanted.has_links = bool(self._links)
        for link, target in self._links:
            if self._selection.target_path(link, is_directory=False) is None:
                self.wanted.promoted.setdefault(link, target)
        for entry, file in self.wanted.unread.items():
            # Large files that were read in part come back with holes, if they may.
            if not self._may_lack_parts or self._is_missing(entry, file):
                self.wanted.not_stored.add(entry)

    def _is_missing(self, entry: int, file: UnreadFile) -> bool:
        return file.missing_bytes == self._tree.reader.entry(entry).data_bytes

    def _look_through(self, batch: EntryBatch) -> None:
        prefix, sizes_bytes = f"{batch.source}/{batch.prefix}", batch.stored_sizes_bytes
        self._note_pieced(batch)
        for place, (name, kind) in enumerate(zip(batch.names, batch.kinds, strict=True)):
            path = prefix + name if name else batch.source
            if name in batch.unread:
                self.wanted.unread[batch.first_entry + place] = unread_file(batch, place, path)
            target = self._selection.target_path(path, is_directory=kind == "d")
            if target is None:
                continue
            self._first = batch.first_entry + place if self._first is None else self._first
            self.wanted.stop_entry = batch.first_entry + place + 1
            _note_folders_above(path, self._selection, self.wanted.on_the_way)
            if kind == "h":
                self._links.append((batch.links[name], target))
            elif batch.sizes_bytes[place] > 0:
                self.wanted.files_count += 1
                self.wanted.bytes_total += sizes_bytes[place]

    def _note_pieced(self, batch: EntryBatch) -> None:
        found = [batch.first_entry + batch.names.index(name) for name in batch.places.pieces]
        # What no extent covers must become a hole.
        found += [
            batch.first_entry + place
            for place, name in enumerate(batch.names if batch.data_ranges else ())
            if name in batch.data_ranges and batch.has_holes(place)
        ]
        if batch.source in self._raw_volumes:
            found += [batch.first_entry + place for place, size in enumerate(batch.sizes_bytes) if size > 0]
        if self._may_lack_parts:
            found += [
                batch.first_entry + place
                for place, number in enumerate(batch.places.segments)
                if number >= 0 and batch.places.segment_ids[number] in self._of_one_file
            ]
        self.wanted.pieced.update(found)

    def _nothing(self) -> UsageError:
        short, selection = self._snapshot.snapshot_id[:8], self._selection
        what = f"no path {selection.path!r}" if selection.path else "nothing that matches the patterns"
        if selection.path and selection.has_patterns and self._holds_path():
            what = f"nothing in {selection.path!r} that matches the patterns"
        return UsageError(f"snapshot {short} holds {what}", hint=f"segfleet ls {short} lists what it holds")

    def _holds_path(self) -> bool:
        """Whether there is anything at the path of the selection, whatever the patterns say."""
        for batch in self._tree.batches():
            prefix = f"{batch.source}/{batch.prefix}"
            for name in batch.names:
                if self._selection.place_of(prefix + name if name else batch.source, is_directory=True) is not None:
                    return True
        return False


def _segments_of_one_file(tree: Tree) -> set[str]:
    counts: Counter[str] = Counter()
    for batch in tree.batches():
        for number, count in Counter(batch.places.segments).items():
            if number >= 0:
                counts[batch.places.segment_ids[number]] += count
    return {segment_id for segment_id, count in counts.items() if count == 1}


def _note_folders_above(path: str, selection: Selection, found: set[str]) -> None:
    if not selection.has_patterns:
        return
    above = path.rpartition("/")[0]
    while above and above not in found and selection.place_of(above, is_directory=True) is not None:
        found.add(above)
        above = above.rpartition("/")[0]
