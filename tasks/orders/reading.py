"""Orders that read stored objects: to restore, to dump, to check."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from tasks.groups import GroupAt
from tasks.orders.order import Order, Threads
from tasks.orders.targets import Overwrite
from tasks.sources.metadata import Attributes, OwnerNames
from tasks.values import MAX_EXTENTS, Count, Counts, Digest, HexId, Paths, SourceName, is_safe_path

#: The longest range of a segment's stream that one receipt returns.
MAX_READ_BYTES = 4 * 1024 * 1024


class RestoreSegment(Order, frozen=True, kw_only=True):
    """Write extents of the stored object ``object_id`` into the target.  All columns have one length.

    ``stream_offsets_bytes`` are the places of the extents in the object's uncompressed stream.  The target itself must
    exist: a :class:`RestoreEntries` comes first.  Missing whole files and folders are created.  A row of ``metadata``
    is set after a whole file is written: ``(mode, uid, gid, mtime_ns)``, and the place of its attributes in
    ``attribute_sets`` if it has any.  An empty row means that the file has holes, or extents in other segments:
    :class:`RestoreEntries` makes it before, and finishes it.  ``overwrite`` applies to whole files only.  Extents with
    an empty row are always written, so managers leave out the files that :class:`TargetEntry` reported as skipped.

    A whole file with a damaged part is not restored at all (a trouble of size -1).  Of a file with extents in other
    segments, the damaged range is reported and the rest is written.

    ``trailer_digest``, from the receipt, decides whether this is what was stored.  An object without its
    trailer is refused, unless ``unproved`` is set: then what fits its checksums is written, and each extent reported.

    With ``reuse`` a range that an older file at the path holds, or what another run left of it and was claimed
    (:class:`RestoreEntries`), is copied from there: as the digests in the trailer prove, cell by cell.

    With ``compare`` the files are those that an earlier order has restored and that are in their places by now: each
    that holds something else is reported as a trouble with the code ``differs``.  Files that ``overwrite`` has kept,
    as their times show, are left out.
    """

    object_id: HexId
    trailer_digest: Digest
    target: SourceName
    paths: Paths
    stream_offsets_bytes: Counts
    offsets_bytes: Counts
    sizes_bytes: Counts
    metadata: Annotated[tuple[tuple[int, ...], ...], Meta(max_length=MAX_EXTENTS)]
    overwrite: Overwrite
    threads: Threads
    #: Read the object from its group: it is missing or damaged.
    group: GroupAt | None = None
    unproved: bool = False
    #: Take from older files in the target what they hold of the extents, as digests prove.
    reuse: bool = False
    #: Write nothing, but read what is there and compare it.
    compare: bool = False
    #: Extents, by their place in the columns, in which long zeros become holes: where nobody could name the holes of a
    #: file, or they are wanted.
    sparse: Counts = ()
    attribute_sets: Annotated[tuple[Attributes, ...], Meta(max_length=MAX_EXTENTS)] = ()
    #: Owners are set by name where this host knows the name; empty: by number.
    owner_names: OwnerNames = field(default_factory=OwnerNames)

    def __post_init__(self) -> None:
        if any(place >= len(self.paths) for place in self.sparse):
            raise ValueError("a restore order has no such sparse extent")
        columns = (self.stream_offsets_bytes, self.offsets_bytes, self.sizes_bytes, self.metadata)
        if any(len(column) != len(self.paths) for column in columns):
            raise ValueError("the columns of a restore order differ in length")
        if not all(map(is_safe_path, self.paths)):
            raise ValueError("a path of a restore order leaves the target")


class ReadSegment(Order, frozen=True, kw_only=True):
    """Return a range of the uncompressed stream of a stored object: for a dump, which has no target folder."""

    object_id: HexId
    trailer_digest: Digest
    stream_offset_bytes: Count
    size_bytes: Annotated[int, Meta(ge=1, le=MAX_READ_BYTES)]
    #: As in :class:`RestoreSegment`.
    group: GroupAt | None = None


class VerifySegments(Order, frozen=True, kw_only=True):
    """Check stored objects: their structure; with ``read_data`` every stored byte; with ``only_size`` no byte.

    ``limit_bytes_per_s``: read no faster; 0: as fast as the device is.
    """

    object_ids: Annotated[tuple[HexId, ...], Meta(max_length=4096)]
    stored_bytes: Annotated[tuple[Count, ...], Meta(max_length=4096)]
    trailer_digests: Annotated[tuple[Digest, ...], Meta(max_length=4096)]
    read_data: bool
    only_size: bool = False
    limit_bytes_per_s: Count = 0
    #: They are the parity of groups: their ids, and the digests of their directories.
    of_groups: bool = False

    def __post_init__(self) -> None:
        if not len(self.object_ids) == len(self.stored_bytes) == len(self.trailer_digests):
            raise ValueError("the columns of a verify order differ in length")
