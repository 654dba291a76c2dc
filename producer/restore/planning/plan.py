"""Makes the orders of a restore from the listing and the stored segments.

The waves of a restore, each answered before the next begins:

    [1] the target: made, or refused because it is not empty
    [2] directories, if others may be there: what stands in their place is replaced before anything goes below
    [3] pieced files, which have holes or data in several segments: ``overwrite`` decides which are kept
        then what other runs left unfinished is removed, but what these files have claimed
    [4] segments: all data, from all devices at once
    [5] directories, symbolic links, empty files, special files
    [6] pieced files are finished: size and metadata; then hard links, which only finished files may get
    [7] hard links to files that were kept and are not the snapshot's: made from the data, by waves [3] to [6]
    [8] directories are finished: metadata, the deepest first
    [9] file flags: nothing can be changed in what is immutable
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.holders import Held, Holder
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import PartReference
from producer.catalog.untaken import untaken
from producer.listing.entry import Entry
from producer.listing.places.places import Place
from producer.restore.outcome.holes import Hole
from producer.restore.planning.folder_names import names_by_folder
from producer.restore.planning.picks import Pick, Picks, path_at
from producer.restore.planning.reach import Reach
from producer.restore.planning.selection import NothingByPath, Selection
from producer.restore.planning.wanted import find_wanted
from tasks.orders import TargetEntry


class RestorePlan:
    """Reads the catalog; orders nothing itself.  ``left_out`` grows while the restore learns what is kept or lost."""

    def __init__(
        self,
        catalog: Catalog,
        snapshot: SnapshotRow,
        selection: Selection,
        *,
        may_lack_parts: bool = False,
        places: Mapping[str, str] | None = None,
    ) -> None:
        """Raises UsageError when the selection fits nothing.

        ``may_lack_parts``: a file with a segment of its own may be restored without some parts.  ``places``: restore
        these files instead, by their paths in the snapshot, each to another path.
        """
        self._catalog = catalog
        self._snapshot = snapshot
        self._tree = catalog.trees.of(snapshot.snapshot_id)
        self._reach = Reach(catalog, snapshot.snapshot_id, self._tree)
        self._selection = selection
        self._may_lack_parts = may_lack_parts
        self.wanted = find_wanted(snapshot, self._tree, selection, may_lack_parts=may_lack_parts)
        if places is not None:
            self.wanted = replace(self.wanted, promoted=dict(places), has_links=False, on_the_way=set())
            self._selection = NothingByPath()
        self.left_out: set[int] = set(self.wanted.not_stored)
        self._directories: list[TargetEntry] = []
        self._picks = Picks(self._tree, self._selection, self.wanted, self.left_out, self._path_of)

    def prefer(self, device_ids: Collection[str]) -> None:
        """Read from objects on these devices, or from their parity, where there are any."""
        self._reach.present = frozenset(device_ids)
        # A file that is read from several objects is finished like one of several segments.
        self.wanted.pieced.update(self._reach.divided())

    def out_of_reach(self) -> Iterator[tuple[Pick, str, str]]:
        """The wanted extents that neither the preferred devices have nor parity gives; why, and on which device.

        "" for none.
        """
        given_up = self._catalog.devices.lost_ids()
        for holder in self.holders():
            if self._reach.is_out_of(holder.object):
                state = "lost" if holder.object.device_id in given_up else "absent"
                why = f"it lies on device {holder.object.device}, which is {state}"
                yield from ((pick, why, holder.object.device) for pick in self.picks(holder))
        for segment_id, ranges in self._reach.incomplete():
            for pick in self._picks.lacking(segment_id, ranges):
                yield pick, "no device has it any more", ""

    def holders(self, device_id: str = "") -> Iterator[Holder]:
        """What may hold wanted data (on one device), in the order of the entries; nothing comes twice."""
        parts = self._tree.parts
        for segment_id, numbers in self._tree.parts_of_segments.items():
            if self.wanted.promoted or any(self._overlaps(parts[number]) for number in numbers):
                for holder in self._reach.holders_of(segment_id):
                    if device_id in ("", holder.object.device_id):
                        yield holder

    def _overlaps(self, part: PartReference) -> bool:
        stop_entry = part.first_entry + part.entries_count
        return part.first_entry < self.wanted.stop_entry and stop_entry > self.wanted.first_entry

    def picks(self, holder: Holder) -> list[Pick]:
        """The wanted extents that are read from one object; see :class:`producer.restore.planning.picks.Picks`."""
        return self._picks.of(holder)

    def pieced_files(self, *, finish: bool) -> Iterator[TargetEntry]:
        for index in sorted(self.wanted.pieced - self.left_out):
            entry = self._tree.reader.entry(index)
            path = self._path_of(entry.snapshot_path)
            if path is not None:
                yield _target_entry(entry, path, size_bytes=entry.size_bytes, finish=finish)

    def all_entries(self) -> Iterator[TargetEntry]:
        """All that is wanted and not left out, files with their sizes; hard links come last."""
        for entry, path in self._entries(lambda kind, _: kind != "h"):
            if entry.kind == "file" and entry.index not in self.left_out:
                yield _target_entry(entry, path, size_bytes=entry.size_bytes)
            elif entry.kind != "file" and path:
                yield _target_entry(entry, path)
        yield from self.hard_links()

    def restored_folders(self) -> Iterator[tuple[str, list[str]]]:
        """Paths in the target of all wanted folders, with the names of all that the snapshot has there."""
        empty = {path for _, path in self._entries(lambda kind, _: kind == "d")}
        for folder, names in names_by_folder(self._tree):
            path = self._path_of(folder, is_directory=True)
            if path is not None:
                empty.discard(path)
                yield path, names
        yield from ((path, []) for path in sorted(empty))

    def first_entry(self) -> Entry:
        """The first wanted entry: what the path of the selection names."""
        return self._tree.reader.entry(self.wanted.first_entry)

    def places_of(self, entry: Entry) -> Iterator[tuple[StoredObject, Held, Place]]:
        """Where the data of a file is: an object, and which part it holds of which place."""
        (batch,) = self._tree.reader.batches(entry.index, entry.index + 1)
        for place in batch.places_of(entry.index - batch.first_entry):
            for holder in self._reach.holders_of(place.segment_id):
                for held in holder.parts_of(place.stream_offset_bytes, place.size_bytes):
                    yield holder.object, held, place

    def leave_out(self, path: str) -> None:
        """Order nothing more for the pieced file that goes to ``path`` in the target."""
        self.left_out.update(self._pieced_at.get(path, ()))

    def take_back(self, path: str) -> None:
        """The reverse of :meth:`leave_out`."""
        self.left_out.difference_update(self._pieced_at.get(path, ()))

    @cached_property
    def _pieced_at(self) -> dict[str, list[int]]:
        """The pieced files by their path in the target."""
        found: dict[str, list[int]] = {}
        for index in sorted(self.wanted.pieced):
            path = self._path_of(self._tree.reader.entry(index).snapshot_path)
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
        holes = self._unread(self.wanted.unread)
        links = self._hard_links() if holes else ()
        return holes | {link.path: holes[link.link] for link in links if link.link in holes}

    def untaken(self) -> Iterator[tuple[str, str]]:
        """What the backup could not take, and no segment tells of, where it is wanted: path in the target, and why."""
        troubles = self._catalog.troubles.all(self._snapshot.snapshot_id)
        for row in untaken(troubles, self._snapshot.sources):
            if row.entry_index is None or not self._tree.reader.entry(row.entry_index).data_bytes:
                # It may be a folder.
                path = self._path_of(row.path, is_directory=True)
                if path is not None:
                    yield path or row.path, row.message

    def hard_links(self) -> Iterator[TargetEntry]:
        """Without those of files that the backup could not read: whatever is in their place is older."""
        gone = self._unread(self.wanted.not_stored)
        return (link for link in self._hard_links() if link.link not in gone)

    def _unread(self, entries: Iterable[int]) -> dict[str, list[Hole]]:
        files = [self.wanted.unread[entry] for entry in entries]
        return {path: file.holes for file in files if (path := self._path_of(file.snapshot_path)) is not None}

    def _hard_links(self) -> Iterator[TargetEntry]:
        if not self.wanted.has_links:
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
        elsewhere = {entry.snapshot_path: places[path] for entry, path in files if path in places}
        plan = RestorePlan(
            self._catalog, self._snapshot, self._selection, may_lack_parts=self._may_lack_parts, places=elsewhere
        )
        plan.prefer(self._reach.present or ())
        return plan

    def _first_files(self, snapshot_paths: set[str]) -> dict[str, tuple[int, int]]:
        """Size and time of files that hard links of the snapshot lead to."""
        files = self._entries(lambda kind, _: kind == "f")
        return {
            entry.snapshot_path: (entry.size_bytes, entry.mtime_ns)
            for entry, _ in files
            if entry.snapshot_path in snapshot_paths
        }

    def flagged(self) -> Iterator[TargetEntry]:
        """The files and folders with file flags."""
        for entry in (entry for batch in self._tree.batches() if batch.flags for entry in batch):
            path = self._path_of(entry.snapshot_path, is_directory=entry.kind == "directory")
            if entry.flags and path is not None and entry.kind in ("directory", "file"):
                yield _target_entry(entry, path, size_bytes=entry.size_bytes)

    def flags(self) -> Iterator[TargetEntry]:
        """The flags of those: what is below a directory comes before it."""
        return reversed([replace(entry, kind="flags") for entry in self.flagged()])

    def directories(self) -> Iterator[TargetEntry]:
        """The directories to finish, the deepest first, so that nothing changes inside one after its times are set."""
        return (replace(target, finish=True) for target in reversed(self._directories))

    def _entries(self, fits: Callable[[str, int], bool]) -> Iterator[tuple[Entry, str]]:
        """The wanted entries whose (kind letter, size) matches, with their paths in the target, in listing order."""
        for batch in self._tree.batches():
            for place, kind in enumerate(batch.kinds):
                if fits(kind, batch.sizes_bytes[place]):
                    path = self._path_of(path_at(batch, place), is_directory=kind == "d")
                    if path is not None:
                        yield batch.entry_at(place), path

    def _path_of(self, snapshot_path: str, *, is_directory: bool = False) -> str | None:
        """Where an entry goes: to its own path, or that of the first wanted hard link to it."""
        if is_directory and snapshot_path in self.wanted.on_the_way:
            return self._selection.place_of(snapshot_path, is_directory=True)
        path = self._selection.target_path(snapshot_path, is_directory=is_directory)
        return self.wanted.promoted.get(snapshot_path) if path is None else path


def _target_entry(
    entry: Entry,
    path: str,
    *,
    size_bytes: int = 0,
    link: str | None = None,
    finish: bool = False,
) -> TargetEntry:
    return TargetEntry(
        kind=entry.kind,
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
