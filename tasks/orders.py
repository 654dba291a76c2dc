"""The orders: what a manager asks one device to do.  One class for each row of :mod:`tasks.registry`.

Orders hold names, never absolute paths: a worker finds the path of a source or a target in its own settings, so a
message cannot make it read or write elsewhere.  Every order may arrive twice, or late.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from operator import add
from typing import Annotated, Literal

from msgspec import Meta

from tasks.digests import DIGEST_BYTES, MAX_CELLS, Digests, known_places, listed_cells_count
from tasks.groups import GroupAt
from tasks.metadata import Attributes, Flags, OwnerNames
from tasks.raw import RawReading
from tasks.states import PackedStates, unpack_states
from tasks.values import (
    MAX_EXTENTS,
    Count,
    Counts,
    DeviceName,
    Digest,
    Extents,
    HexId,
    Paths,
    RelativePath,
    SourceName,
    SourcePlace,
    UnitBytes,
    is_safe_path,
)
from tasks.views import View

WIRE_VERSION: Literal[1] = 1

ManagerQueue = Annotated[str, Meta(pattern=r"^manager\.[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[0-9a-f]{1,32})?$")]
Level = Annotated[int, Meta(ge=-7, le=22)]
Threads = Annotated[int, Meta(ge=1, le=256)]
Readers = Annotated[int, Meta(ge=1, le=256)]
#: A manifest part travels as base64 text: 4 MiB of bytes become 5.6 million characters.
PartText = Annotated[str, Meta(max_length=8 * 1024 * 1024)]
#: A file of a manifest, as it lies on a device: what fits into a PartText.
MAX_MANIFEST_BYTES = 6 * 1024 * 1024
#: The longest range of a segment's stream that one receipt returns.
MAX_READ_BYTES = 4 * 1024 * 1024
#: What becomes of what is in the target already (docs/restore.md).
Overwrite = Literal["always", "if-changed", "if-newer", "never"]
#: With these, what the snapshot has an entry for may be something else that stays.
KEEP_OTHERS = ("never", "if-newer")
#: Parts and heads; claim, tombstone and marks of a snapshot; the generation of a catalog (docs/manifest.md).
MANIFEST_NAME = re.compile(r"[0-9a-f]{32}\.([0-9]{6}\.part|manifest|claim|forgotten|marks|generation)")
ManifestName = Annotated[str, Meta(pattern=f"^{MANIFEST_NAME.pattern}$")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """What all orders have.  ``order_id`` names the work, not the message: a repeat has the same id."""

    run_id: HexId
    order_id: HexId
    device: DeviceName
    #: "" while the device has no id yet (describe, adopt).
    device_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")]
    #: A device's epoch rises when it is declared dead; workers refuse orders of older epochs.
    epoch: Count
    attempt: Annotated[int, Meta(ge=1, le=1000)]
    reply_to: ManagerQueue
    version: Literal[1] = WIRE_VERSION


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribeDevice(Order):
    """Report what is at the device: its marker and capacity, and whether it can be written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AdoptDevice(Order):
    """Write the marker into an empty device, which joins the pool.  A repeat changes nothing."""

    pool_id: HexId
    new_device_id: HexId
    #: Who alone may delete on the device; "": nobody.
    catalog_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreSegment(Order):
    """Read the extents, compress them, and store them as one object of a segment, without those that are unchanged.

    A segment's id never changes, whoever stores it.  Each try stores an object of its own: a message that comes twice
    finds its own object, and never that of another try.
    """

    segment_id: HexId
    object_id: HexId
    snapshot_id: HexId
    volume: SourceName
    #: The number of the segment in the plan, from 0.
    number: Count
    source: SourceName
    extents: Extents
    threshold_bytes: Count
    #: unit_bytes is a multiple of block_bytes; the segment's header holds both.
    unit_bytes: UnitBytes
    block_bytes: Annotated[int, Meta(ge=512, le=1024 * 1024)]
    level: Level
    threads: Threads
    #: For a piece of a raw volume: the source is one block device or image file.
    raw: RawReading | None = None
    #: Where ``source`` is, if the worker does not know it by that name; not recorded in the segment's header.
    within: SourcePlace | None = None
    #: How many workers of a host read the source's disk at once; None: one if it rotates, otherwise all.
    readers: Readers | None = None
    #: What the walk saw of each file; "" for raw volumes.
    states: PackedStates = ""
    #: Whether all extents are parts of one file, which has segments of its own.
    is_piece: bool = False
    #: The extents, by index, of files with holes.  Each of them is a part of its file.
    sparse: Counts = ()
    #: The digests (:mod:`tasks.digests`) that extents had in an earlier backup, one for each extent, NO_DIGEST for one
    #: that is not known; empty for none.  An extent that still has its digest is not stored.
    known_digests: Digests = b""
    #: To heal a segment that no device has any more: where each extent begins in its stream, ascending.  Then only the
    #: extents that have their known digests are stored, as these ranges of the segment.
    stream_offsets_bytes: Counts = ()
    #: How the walk saw the source (:mod:`tasks.views`); "" where nobody can tell.
    view: View = ""
    #: The source is a part of a stream: what is at ``within`` begins with the first byte of the one extent.
    spooled: bool = False
    #: Whose claim is put on the device before its first object of the snapshot; "" for none.
    catalog_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""

    def __post_init__(self) -> None:
        if self.spooled and (len(self.extents) != 1 or self.within is None):
            raise ValueError("a part of a stream is one extent, in a file of its own")
        if self.unit_bytes % self.block_bytes:
            raise ValueError("unit_bytes is not a multiple of block_bytes")
        if self.raw is not None and self.extents.paths != ("",):
            raise ValueError("a piece of a raw volume is one extent of the source itself")
        if listed_cells_count(self.extents) > MAX_CELLS:
            raise ValueError(f"a segment of more than {MAX_CELLS} cells")
        if self.known_digests and (self.raw is not None or len(self.known_digests) != len(self.extents) * DIGEST_BYTES):
            raise ValueError("known digests are those of extents of files, one for each")
        if self.is_piece and len(set(self.extents.paths)) > 1:
            raise ValueError("a piece is of one file")
        if self.heals and not self._has_all_digests():
            raise ValueError("what is healed has a place in the segment and a digest for each extent")
        unpack_states(self.states, len(self.extents))

    @property
    def heals(self) -> bool:
        return bool(self.stream_offsets_bytes)

    def _has_all_digests(self) -> bool:
        count, stop_bytes = len(self.extents), 0
        if len(self.stream_offsets_bytes) != count or len(known_places(self.known_digests)) != count:
            return False
        for offset_bytes, size_bytes in zip(self.stream_offsets_bytes, self.extents.sizes_bytes, strict=True):
            if offset_bytes < stop_bytes:
                return False
            stop_bytes = offset_bytes + size_bytes
        return True


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmEmpty(Order):
    """Look into files that were empty or one hole at the walk: do they have data?  Needs no device, only the source.

    Some file systems do not tell the size of a file (/proc, some of FUSE), and a file may be written after the walk.
    """

    source: SourceName
    paths: Paths
    #: At the walk.
    sizes_bytes: Counts
    #: As in :class:`StoreSegment`.
    within: SourcePlace | None = None

    def __post_init__(self) -> None:
        if len(self.sizes_bytes) != len(self.paths):
            raise ValueError("the columns of empty files differ in length")
        if not all(map(is_safe_path, self.paths)):
            raise ValueError("a path of an order leaves the source")


@dataclass(frozen=True, kw_only=True, slots=True)
class PutManifest(Order):
    """Store a part of a manifest, or its head, under ``name``.  The head comes last: it commits."""

    name: ManifestName
    data_base64: PartText
    #: BLAKE3 of the decoded data.
    digest: Digest


@dataclass(frozen=True, kw_only=True, slots=True)
class GetManifest(Order):
    """Return one manifest file; with name "", the names of all."""

    name: Annotated[str, Meta(pattern=f"^({MANIFEST_NAME.pattern})?$")]


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreSegment(Order):
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


EntryKind = Literal[
    "directory", "file", "symlink", "hardlink", "fifo", "character", "block", "flags", "absent", "note", "surplus"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetEntry:
    """One entry to make, or to finish, in the target.

    A directory is made for its owner alone.  It gets its metadata when it comes a second time, with ``finish`` set,
    after everything in it: so the deepest come first.  The path "" is the target itself, which keeps its metadata if it
    was there before the restore; with ``never`` and ``if-newer`` so does each directory.

    ``kind="file"`` with ``size_bytes`` 0 makes an empty file.  With ``size_bytes`` > 0 it is for a file that has holes,
    or extents in several segments, and it comes twice.  The first time, before any extent is ordered, ``overwrite``
    decides.  A file that is kept is reported as a trouble with the code ``skipped``, which is no error: the manager
    leaves out its extents and its finish.  Otherwise the file is made under a temporary name, which follows from the
    run and the path, and what is at ``path`` stays.  The second time, with ``finish``, the ranges
    ``hole_offsets_bytes``, ``hole_sizes_bytes``, which no extent covers, become zeros; then the file is cut to
    ``size_bytes``, gets its metadata, and is renamed to ``path``.

    ``link`` is the text of a symlink, or the path in the target that a hard link joins; hard links come after that
    file is finished.  With ``never`` and ``if-newer`` that file may be another one, which the size and metadata of the
    hard link show: then no link is made, and the trouble has the code ``other-file``.  ``device_number`` is for device
    nodes.

    ``flags`` sets the file flags of what is there; it comes after everything else, because nothing can be written to an
    immutable file, or linked to it.  ``absent`` removes what has been written of a file that this restore could not
    complete.  ``note`` is a small file that holds ``text``, and replaces whatever file is there.  ``surplus`` removes
    what is at ``path``, a folder only if it is empty.
    """

    kind: EntryKind
    path: RelativePath
    mode: Annotated[int, Meta(ge=0, le=0o7777)]
    uid: Count
    gid: Count
    mtime_ns: int
    size_bytes: Count = 0
    link: str = ""
    device_number: Count = 0
    finish: bool = False
    text: Annotated[str, Meta(max_length=4 * 1024 * 1024)] = ""
    attributes: Attributes = field(default_factory=dict)
    flags: Flags = 0
    hole_offsets_bytes: Counts = ()
    hole_sizes_bytes: Counts = ()

    def __post_init__(self) -> None:
        if len(self.hole_offsets_bytes) != len(self.hole_sizes_bytes):
            raise ValueError("the columns of holes differ in length")
        stops_bytes = map(add, self.hole_offsets_bytes, self.hole_sizes_bytes)
        if any(stop_bytes > self.size_bytes for stop_bytes in stops_bytes):
            raise ValueError("a hole reaches beyond the file")
        if not is_safe_path(self.path) or (self.kind == "hardlink" and not is_safe_path(self.link)):
            raise ValueError("a path of a target entry leaves the target")


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreEntries(Order):
    """Make or finish entries that need no stored data, in the given order.

    A missing target is made.  With ``must_be_empty`` it is checked first: if the target holds anything that an earlier
    delivery of this order did not make, the order fails with code ``target-not-empty``, and nothing is made.  With
    ``sweep`` the temporary files of other runs are removed from the target and from the directories of the order.  With
    ``claim`` files that come from several segments keep theirs beside them, until they are finished: see
    ``RestoreSegment.reuse``.
    """

    target: SourceName
    entries: Annotated[tuple[TargetEntry, ...], Meta(max_length=MAX_EXTENTS)]
    overwrite: Overwrite
    must_be_empty: bool = False
    sweep: bool = False
    claim: bool = False
    owner_names: OwnerNames = field(default_factory=OwnerNames)


@dataclass(frozen=True, kw_only=True, slots=True)
class PrepareImage(Order):
    """Prepare the target for the image of a raw volume: the target is a block device or a regular file.

    Refused (code ``target``, or ``target-not-empty`` without ``force``): a block device that is mounted or in use, one
    smaller than ``size_bytes``, one that holds a file system or partitions; a file that holds anything but holes.

    A file gets its size.  The zero ranges are filled with zeros on a block device, and become holes in a file.  No
    piece is written to these ranges, and nothing else of the target changes, so the order may be repeated at any time.
    With ``finish`` the target is synced; that comes after all segments.
    """

    target: SourceName
    size_bytes: Count
    zero_offsets_bytes: Counts
    zero_sizes_bytes: Counts
    force: bool
    finish: bool = False

    def __post_init__(self) -> None:
        if len(self.zero_offsets_bytes) != len(self.zero_sizes_bytes):
            raise ValueError("the columns of zero ranges differ in length")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadSegment(Order):
    """Return a range of the uncompressed stream of a stored object: for a dump, which has no target folder."""

    object_id: HexId
    trailer_digest: Digest
    stream_offset_bytes: Count
    size_bytes: Annotated[int, Meta(ge=1, le=MAX_READ_BYTES)]
    #: As in :class:`RestoreSegment`.
    group: GroupAt | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifySegments(Order):
    """Check stored objects: their structure; with ``read_data`` every stored byte; with ``only_size`` no byte.

    ``limit_bytes_per_s``: read no faster; 0: as fast as the device is.
    """

    object_ids: Annotated[tuple[HexId, ...], Meta(max_length=4096)]
    stored_bytes: Annotated[tuple[Count, ...], Meta(max_length=4096)]
    trailer_digests: Annotated[tuple[Digest, ...], Meta(max_length=4096)]
    read_data: bool
    only_size: bool = False
    limit_bytes_per_s: Count = 0

    def __post_init__(self) -> None:
        if not len(self.object_ids) == len(self.stored_bytes) == len(self.trailer_digests):
            raise ValueError("the columns of a verify order differ in length")
