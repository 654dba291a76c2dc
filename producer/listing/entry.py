"""One entry of a source, and a batch of them as columns.

A batch holds entries of one directory.  The listing stores its columns, and the feeder computes with them: a million
rows as objects would take 280 MB more, and most of the time of the walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct, field

from producer.listing.data_ranges import DataRanges, data_before, data_bytes
from producer.listing.places.places import NO_PLACES, Place, Places
from tasks.orders import EntryKind
from tasks.sources.metadata import Attributes, Flags
from tasks.values import Count

#: Letter in the column ``kinds`` → kind.
KINDS: dict[str, EntryKind] = {
    "d": "directory",
    "f": "file",
    "l": "symlink",
    "h": "hardlink",
    "p": "fifo",
    "c": "character",
    "b": "block",
}

#: Why a file is not whole: the devices had no room for it.  Else the code of the worker's note.
NOT_STORED = "incomplete"

#: In the column of sizes: an entry without stored data (all but regular files; repeats of a hard link too).
NO_DATA = -1

Mode = Annotated[int, Meta(ge=0, le=0o7777)]
DataSize = Annotated[int, Meta(ge=NO_DATA, le=2**63 - 1)]


class Entry(Struct, frozen=True, kw_only=True):
    """One entry.  ``path`` is relative to the source ("" is the source itself).

    ``link`` is what a symlink says, or, for a hard link, the path in the snapshot (source name first)
    of the entry that holds the data; that entry comes earlier.
    """

    index: int
    source: str
    path: str
    kind: EntryKind
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    ctime_ns: int
    size_bytes: int
    link: str = ""
    device_number: int = 0
    #: None where the file system does not record it.
    birth_ns: int | None = None
    #: Immutable, append-only, no-dump, as in ``producer.walk.status``.
    flags: int = 0
    #: Extended attributes, each value in base64.
    attributes: Attributes = field(default_factory=dict)
    #: Of a file with fewer blocks than bytes; see :class:`EntryBatch`.
    data_ranges: list[tuple[int, int]] | None = None

    @property
    def data_bytes(self) -> int:
        """The bytes that are stored: all but holes."""
        return self.size_bytes if self.data_ranges is None else data_before(self.data_ranges, self.size_bytes)

    @property
    def snapshot_path(self) -> str:
        """The path that people use: it begins with the source's name."""
        return f"{self.source}/{self.path}" if self.path else self.source


class EntryBatch(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Consecutive entries of one directory, as columns of one length.  Iterating gives :class:`Entry` rows.

    The columns are never changed once the batch is made.  The entry of a source itself is a batch of its own:
    directory "" and the one name "".  Text holds surrogate escapes where names are not UTF-8.  Columns that are by name
    have those entries only that have any.
    """

    #: Tree parts hold neither: the head of a snapshot says where each source begins.
    source: str = ""
    first_entry: Count = 0
    directory: str
    names: list[str]
    #: One letter for each entry (:data:`KINDS`).
    kinds: str
    modes: list[Mode]
    uids: list[Count]
    gids: list[Count]
    mtimes_ns: list[int]
    ctimes_ns: list[int]
    #: Of files, else :data:`NO_DATA`.
    sizes_bytes: list[DataSize]
    #: One for each entry; none at all for raw volumes.  0 but for files.
    inodes: list[Count] = []
    #: By name: of symlinks and hard links only.
    links: dict[str, str] = {}
    #: By name: of device nodes only.
    device_numbers: dict[str, Count] = {}
    #: Of files with fewer blocks than bytes: offset and size of each range of data, ascending; all else is holes.  One
    #: range over all of the file: the file system reported no holes.
    data_ranges: dict[str, list[tuple[Count, Count]]] = {}
    #: One for each entry; none at all where nobody has looked.
    births_ns: list[int | None] = []
    flags: dict[str, Flags] = {}
    #: Of entries that have extended attributes: which of ``attribute_sets``, that entries share.
    attributes: dict[str, Count] = {}
    attribute_sets: list[Attributes] = []
    #: Where the bytes of files are.  Before the seal: only of those that are as in the parent snapshot.
    places: Places = NO_PLACES
    #: Before the seal: where the parent has what these files held then.  Their workers compare them with it.
    former: Places = NO_PLACES
    #: By name: a code, and why not all bytes of the file are in the snapshot.
    unread: dict[str, tuple[str, str]] = {}
    #: Names of files that changed while they were read.
    unsettled: list[str] = []

    def __len__(self) -> int:
        return len(self.names)

    @property
    def stop_entry(self) -> int:
        return self.first_entry + len(self.names)

    def path_at(self, place: int) -> str:
        """Path, relative to the source, of the entry at ``place`` in this batch."""
        return self.prefix + self.names[place]

    def snapshot_path_at(self, place: int) -> str:
        """Path in the snapshot of the entry at ``place``."""
        path = self.path_at(place)
        return f"{self.source}/{path}" if path else self.source

    @property
    def prefix(self) -> str:
        """What stands before a name to make its path."""
        return f"{self.directory}/" if self.directory else ""

    @property
    def stored_sizes_bytes(self) -> list[int]:
        """Bytes to store of each entry, or :data:`NO_DATA`; what the plan is made of."""
        if not self.data_ranges:
            return self.sizes_bytes
        return [
            size_bytes if ranges is None else data_bytes(ranges)
            for size_bytes, ranges in zip(self.sizes_bytes, map(self.data_ranges.get, self.names), strict=True)
        ]

    def ranges_at(self, place: int) -> DataRanges:
        """Where the file at ``place`` has data."""
        return self.data_ranges.get(self.names[place], [(0, self.sizes_bytes[place])])

    def places_of(self, place: int) -> Iterator[Place]:
        """Where the data of the file at ``place`` is, ascending; none for a file that has no places."""
        return self.places.of(place, self.names[place], self.data_bytes_at(place))

    def former_places_of(self, place: int) -> Iterator[Place]:
        """As :meth:`places_of`, of ``former``."""
        return self.former.of(place, self.names[place], self.data_bytes_at(place))

    def data_bytes_at(self, place: int) -> int:
        """The bytes of the file at ``place`` that are no holes."""
        ranges = self.data_ranges.get(self.names[place])
        return self.sizes_bytes[place] if ranges is None else data_bytes(ranges)

    def has_holes(self, place: int) -> bool:
        """Whether holes are known of the file at ``place``."""
        return self.ranges_at(place) != [(0, self.sizes_bytes[place])]

    def __iter__(self) -> Iterator[Entry]:
        return map(self.entry_at, range(len(self.names)))

    def entry_at(self, place: int) -> Entry:
        name = self.names[place]
        return Entry(
            index=self.first_entry + place,
            source=self.source,
            path=self.prefix + name,
            kind=KINDS[self.kinds[place]],
            mode=self.modes[place],
            uid=self.uids[place],
            gid=self.gids[place],
            mtime_ns=self.mtimes_ns[place],
            ctime_ns=self.ctimes_ns[place],
            size_bytes=max(0, self.sizes_bytes[place]),
            link=self.links.get(name, ""),
            device_number=self.device_numbers.get(name, 0),
            birth_ns=self.births_ns[place] if self.births_ns else None,
            flags=self.flags.get(name, 0),
            attributes=self.attributes_of(name),
            data_ranges=self.data_ranges.get(name),
        )

    def attributes_of(self, name: str) -> Attributes:
        """The extended attributes of the entry called ``name``."""
        found = self.attributes.get(name)
        return {} if found is None else self.attribute_sets[found]
