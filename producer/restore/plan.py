"""Makes the orders of a restore from the listing and the stored segments.

The waves of a restore, each answered before the next begins:

    [1] the target: made, or refused because it is not empty
    [2] directories, if others may be there: what stands in their place is replaced before anything goes below
    [3] pieced files, whose data lies in several segments: ``overwrite`` decides which are kept
    [4] segments: all data, from all devices at once
    [5] directories, symbolic links, empty files, special files
    [6] pieced files are finished: size and metadata; then hard links, which only finished files may get
    [7] hard links to files that were kept and are not the snapshot's: made from the data, by waves [3] to [6]
    [8] directories are finished: metadata, the deepest first
    [9] file flags: nothing can be changed in what is immutable
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, repeat
from typing import NamedTuple

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.untaken import untaken
from producer.listing import EntryBatch, decode_part
from producer.listing.entry import Entry
from producer.restore.holes import Hole
from producer.restore.selection import NothingByPath, Selection
from producer.restore.wanted import Wanted, segments_with
from tasks.metadata import Attributes, without_capabilities
from tasks.mtimes import is_same_time
from tasks.orders import EntryKind, TargetEntry

_SET_ID = stat.S_ISUID | stat.S_ISGID

#: (mode, uid, gid, mtime_ns) of a whole file; () for a piece, whose file is finished later.
Metadata = tuple[int, ...]


class Pick(NamedTuple):
    """One extent to restore: where it is in the segment's stream, and where it goes."""

    entry: int
    path: str
    stream_offset_bytes: int
    offset_bytes: int
    size_bytes: int
    metadata: Metadata
    attributes: Attributes
    is_sparse: bool = False


class RestorePlan:
    """Reads the catalog; orders nothing itself.  ``left_out`` grows while the restore learns what is kept or lost."""

    def __init__(self, catalog: Catalog, snapshot: SnapshotRow, selection: Selection, wanted: Wanted) -> None:
        self.left_out: set[int] = set(wanted.not_stored)
        self._catalog = catalog
        self._snapshot = snapshot
        self._selection = selection
        self._wanted = wanted
        self._reader = catalog.listing.reader(snapshot.snapshot_id)
        self._directories: list[TargetEntry] = []

    def segments(self, device_id: str = "") -> Iterator[SegmentRow]:
        """The stored segments (of one device) that may hold wanted data, in plan order."""
        return segments_with(self._catalog, self._snapshot.snapshot_id, self._wanted, device_id=device_id)

    def picks(self, row: SegmentRow) -> list[Pick]:
        """The wanted extents of one stored segment, in stream order.

        Files that are kept or lost are left out.  An extent of which less was read than planned is restored as short as
        it was read.
        """
        plain = self._plain_bundle(row)
        return self._picks_one_by_one(row) if plain is None else plain

    def _plain_bundle(self, row: SegmentRow) -> list[Pick] | None:
        """The picks of a bundle if all of it is wanted and nothing in it is unusual, else None.

        Column by column: nearly all files are like this, and it takes little more than half the time of one by one.
        """
        if row.stop_entry - row.first_entry == 1 or row.notes:
            return None
        entries: list[int] = []
        paths: list[str] = []
        sizes_bytes: list[int] = []
        metadata: list[Metadata] = []
        attributes: list[Attributes] = []
        for batch in self._reader.batches(row.first_entry, row.stop_entry):
            prefix = self._selection.prefix_of(_snapshot_path(batch.source, batch.directory))
            if prefix is None or batch.names == [""] or batch.sparse:
                return None
            places = _bundled(batch, row, self._snapshot.bundle_limit_bytes)
            entries += [batch.first_entry + place for place in places]
            paths += [prefix + batch.names[place] for place in places]
            sizes_bytes += [batch.sizes_bytes[place] for place in places]
            metadata += [_metadata(batch, place) for place in places]
            attributes += [batch.attributes_of(batch.names[place]) for place in places]
        if not (self._wanted.pieced.isdisjoint(entries) and self.left_out.isdisjoint(entries)):
            return None
        starts_bytes = accumulate(sizes_bytes, initial=0)
        starts = repeat(row.offset_bytes)
        return list(map(Pick, entries, paths, starts_bytes, starts, sizes_bytes, metadata, attributes))

    def _picks_one_by_one(self, row: SegmentRow) -> list[Pick]:
        notes = {note["index"]: note for note in row.notes}
        is_piece = row.stop_entry - row.first_entry == 1
        found, stream_offset_bytes = [], row.stream_offset_bytes
        for index, (batch, place) in enumerate(self._extents(row)):
            planned_bytes = row.size_bytes if is_piece else batch.sizes_bytes[place]
            note = notes.get(index)
            entry = batch.first_entry + place
            size_bytes = min(planned_bytes, note["read_bytes"]) if note else planned_bytes
            is_pieced, is_altered = entry in self._wanted.pieced, note is not None
            path = None if entry in self.left_out else self._path_of(_path_at(batch, place))
            if path is not None and (size_bytes or not is_pieced):
                found.append(
                    Pick(
                        entry=entry,
                        path=path,
                        stream_offset_bytes=stream_offset_bytes,
                        offset_bytes=row.offset_bytes,
                        size_bytes=size_bytes,
                        metadata=() if is_pieced else self._metadata_read(batch, place, is_altered=is_altered),
                        attributes={} if is_pieced else self._attributes_read(batch, place, is_altered=is_altered),
                        is_sparse=batch.names[place] in batch.sparse,
                    )
                )
            stream_offset_bytes += planned_bytes
        return found

    def pieced_files(self, *, finish: bool) -> Iterator[TargetEntry]:
        for index in sorted(self._wanted.pieced - self.left_out):
            entry = self._reader.entry(index)
            path = self._path_of(entry.snapshot_path)
            if path is not None:
                size_bytes = self._wanted.short.get(index, entry.size_bytes)
                target = _target_entry(entry, path, size_bytes=size_bytes, finish=finish)
                mode, mtime_ns = self._mode_read(index, entry.mode), self._mtime_read(index, entry.mtime_ns)
                is_altered = index in self._wanted.altered
                attributes = without_capabilities(entry.attributes) if is_altered else entry.attributes
                yield replace(target, mode=mode, mtime_ns=mtime_ns, attributes=attributes)

    def _metadata_read(self, batch: EntryBatch, place: int, *, is_altered: bool) -> Metadata:
        mode, uid, gid, mtime_ns = _metadata(batch, place)
        entry = batch.first_entry + place
        mode = self._mode_read(entry, mode, is_altered=is_altered)
        return (mode, uid, gid, self._mtime_read(entry, mtime_ns))

    def _mode_read(self, entry: int, mode: int, *, is_altered: bool = False) -> int:
        """The mode of a file, without set-id bits where its content may be another's: it is not what the walk saw."""
        return mode & ~_SET_ID if is_altered or entry in self._wanted.altered else mode

    def _attributes_read(self, batch: EntryBatch, place: int, *, is_altered: bool) -> Attributes:
        """As for set-id bits: another content gets no capabilities."""
        attributes = batch.attributes_of(batch.names[place])
        is_altered = is_altered or batch.first_entry + place in self._wanted.altered
        return without_capabilities(attributes) if is_altered else attributes

    def _mtime_read(self, entry: int, walked_ns: int) -> int:
        """The time of a file when it was read, if known: it may have been written after the walk."""
        read_ns = self._wanted.mtimes_ns.get(entry, walked_ns)
        return walked_ns if is_same_time(walked_ns, read_ns) else read_ns

    def leave_out(self, path: str) -> None:
        """Order nothing more for the pieced file that goes to ``path`` in the target."""
        self.left_out.update(self._pieced_at.get(path, ()))

    @cached_property
    def _pieced_at(self) -> dict[str, list[int]]:
        """The pieced files by their path in the target."""
        found: dict[str, list[int]] = {}
        for index in sorted(self._wanted.pieced):
            path = self._path_of(self._reader.entry(index).snapshot_path)
            if path is not None:
                found.setdefault(path, []).append(index)
        return found

    def target_itself(self) -> TargetEntry | None:
        """The metadata of the target, if what is wanted is a directory whose content goes directly into it."""
        if not self._selection.path:
            return None
        return next((target for target in self.directories_to_make() if not target.path), None)

    def directories_to_make(self) -> Iterator[TargetEntry]:
        """All directories, those above first."""
        return (_target_entry(entry, path) for entry, path in self._entries(lambda kind, _: kind == "d"))

    def without_data(self) -> Iterator[TargetEntry]:
        """Directories, symbolic links, special files and empty files, including those that only a hard link needs.

        Once it is consumed, :meth:`directories` knows the directories.
        """
        self._directories.clear()
        for entry, path in self._entries(lambda kind, size_bytes: kind not in "fh" or (kind == "f" and not size_bytes)):
            target = _target_entry(entry, path)
            if entry.kind == "directory":
                self._directories.append(target)
            yield target

    def not_stored(self) -> dict[str, list[Hole]]:
        """What the backup could not read of wanted files, by path in the target; hard links share the file's holes."""
        holes = self._unread(self._wanted.unread)
        links = self._hard_links() if holes else ()
        return holes | {link.path: holes[link.link] for link in links if link.link in holes}

    def untaken(self) -> Iterator[tuple[str, str]]:
        """What the backup could not take, and no segment tells of, where it is wanted: path in the target, and why."""
        troubles = self._catalog.troubles.all(self._snapshot.snapshot_id)
        for row in untaken(troubles, self._snapshot.sources):
            if row.entry_index is None or not self._reader.entry(row.entry_index).size_bytes:
                # It may be a folder.
                path = self._path_of(row.path, is_directory=True)
                if path is not None:
                    yield path or row.path, row.message

    def hard_links(self) -> Iterator[TargetEntry]:
        """Without those of files that the backup could not read: whatever is in their place is older."""
        gone = self._unread(self._wanted.not_stored)
        return (link for link in self._hard_links() if link.link not in gone)

    def _unread(self, entries: Iterable[int]) -> dict[str, list[Hole]]:
        files = [self._wanted.unread[entry] for entry in entries]
        return {path: file.holes for file in files if (path := self._path_of(file.snapshot_path)) is not None}

    def _hard_links(self) -> Iterator[TargetEntry]:
        if not self._wanted.has_links:
            return
        links = list(self._entries(lambda kind, _: kind == "h"))
        firsts = self._first_files({entry.link for entry, _ in links})
        for entry, path in links:
            first = self._path_of(entry.link)
            if first is not None and first != path:
                size_bytes, mtime_ns = firsts.get(entry.link, (0, entry.mtime_ns))
                yield replace(_target_entry(entry, path, link=first, size_bytes=size_bytes), mtime_ns=mtime_ns)

    def with_places(self, places: Mapping[str, str]) -> RestorePlan:
        """A plan to restore some files again, to other paths: path in the target → the other path."""
        files = self._entries(lambda kind, _: kind == "f")
        promoted = {entry.snapshot_path: places[path] for entry, path in files if path in places}
        wanted = replace(self._wanted, promoted=promoted, has_links=False, on_the_way=set())
        return RestorePlan(self._catalog, self._snapshot, NothingByPath(), wanted)

    def _first_files(self, snapshot_paths: set[str]) -> dict[str, tuple[int, int]]:
        """Size and time, as they were read, of files that hard links of the snapshot lead to."""
        files = self._entries(lambda kind, _: kind == "f")
        return {
            entry.snapshot_path: (
                self._wanted.short.get(entry.index, entry.size_bytes),
                self._mtime_read(entry.index, entry.mtime_ns),
            )
            for entry, _ in files
            if entry.snapshot_path in snapshot_paths
        }

    def flags(self) -> Iterator[TargetEntry]:
        """The entries with file flags: those below a directory come before it."""
        flagged: list[TargetEntry] = []
        for part in self._catalog.listing.parts(self._snapshot.snapshot_id):
            for entry in (entry for batch in decode_part(part.data) if batch.flags for entry in batch):
                path = self._path_of(entry.snapshot_path, is_directory=entry.kind == "directory")
                if entry.flags and entry.kind in ("directory", "file") and path is not None:
                    flagged.append(_target_entry(entry, path, kind="flags"))
        return reversed(flagged)

    def directories(self) -> Iterator[TargetEntry]:
        """The directories to finish, the deepest first, so that nothing changes inside one after its times are set."""
        return (replace(target, finish=True) for target in reversed(self._directories))

    def _entries(self, fits: Callable[[str, int], bool]) -> Iterator[tuple[Entry, str]]:
        """The wanted entries whose (kind letter, size) matches, with their paths in the target, in listing order."""
        for part in self._catalog.listing.parts(self._snapshot.snapshot_id):
            for batch in decode_part(part.data):
                for place, kind in enumerate(batch.kinds):
                    if fits(kind, batch.sizes_bytes[place]):
                        path = self._path_of(_path_at(batch, place), is_directory=kind == "d")
                        if path is not None:
                            yield batch.entry_at(place), path

    def _extents(self, row: SegmentRow) -> Iterator[tuple[EntryBatch, int]]:
        """(batch, place) of each extent of the segment in stored order, by the same rule as the plan."""
        batches = self._reader.batches(row.first_entry, row.stop_entry)
        if row.stop_entry - row.first_entry == 1:
            for batch in batches:
                yield batch, row.first_entry - batch.first_entry
            return
        for batch in batches:
            for place in _bundled(batch, row, self._snapshot.bundle_limit_bytes):
                yield batch, place

    def _path_of(self, snapshot_path: str, *, is_directory: bool = False) -> str | None:
        """Where an entry goes: to its own path, or that of the first wanted hard link to it."""
        if is_directory and snapshot_path in self._wanted.on_the_way:
            return self._selection.place_of(snapshot_path, is_directory=True)
        path = self._selection.target_path(snapshot_path, is_directory=is_directory)
        return self._wanted.promoted.get(snapshot_path) if path is None else path


def _bundled(batch: EntryBatch, row: SegmentRow, limit_bytes: int) -> list[int]:
    """The places in the batch of the files that the bundle holds."""
    start = max(0, row.first_entry - batch.first_entry)
    stop = min(len(batch), row.stop_entry - batch.first_entry)
    return [place for place, size in enumerate(batch.sizes_bytes[start:stop], start) if 0 < size <= limit_bytes]


def _path_at(batch: EntryBatch, place: int) -> str:
    return _snapshot_path(batch.source, batch.path_at(place))


def _snapshot_path(source: str, path: str) -> str:
    return f"{source}/{path}" if path else source


def _metadata(batch: EntryBatch, place: int) -> Metadata:
    return (batch.modes[place], batch.uids[place], batch.gids[place], batch.mtimes_ns[place])


def _target_entry(
    entry: Entry,
    path: str,
    *,
    size_bytes: int = 0,
    link: str | None = None,
    finish: bool = False,
    kind: EntryKind | None = None,
) -> TargetEntry:
    return TargetEntry(
        kind=kind or entry.kind,
        path=path,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        mtime_ns=entry.mtime_ns,
        size_bytes=size_bytes,
        link=entry.link if link is None else link,
        device_number=entry.device_number,
        finish=finish,
        attributes=entry.attributes,
        flags=entry.flags,
    )
