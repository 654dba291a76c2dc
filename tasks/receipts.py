"""The receipts: the answers to orders.  All have the same envelope, around one result or one failure."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from tasks.digests import Digests, check_whole
from tasks.errors import Reason
from tasks.generations import Generation
from tasks.sources.metadata import MetadataKind
from tasks.values import (
    MAX_EXTENTS,
    WIRE_VERSION,
    Count,
    DeviceBytes,
    DeviceName,
    DigestOrNone,
    HexId,
    Nanoseconds,
    PartText,
    SiteNameOrNone,
)

Text = Annotated[str, Meta(max_length=16_384)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
HexIdOrNone = Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")]
#: A device number or an inode.
Identity = Annotated[int, Meta(ge=0)]

#: Ranges that one finding names; more of them are reported as one.
MAX_RANGES = 10_000

#: Names of manifest files in one receipt.
MAX_MANIFEST_NAMES = 100_000
ManifestText = Annotated[str, Meta(max_length=64)]


class Failure(Struct, frozen=True, kw_only=True):
    """Why an order failed; ``code`` is that of an error class (:mod:`tasks.errors`)."""

    reason: Reason
    code: Annotated[str, Meta(max_length=64)]
    message: Text
    hint: Text = ""
    path: Text = ""


#: ready: the device's folder has a marker of a known format; empty: it may be adopted; foreign: it has files but no
#: marker.
DeviceCondition = Literal["ready", "empty", "foreign", "missing", "unwritable", "newer", "damaged"]


class DeviceReport(Struct, frozen=True, kw_only=True):
    """What is at a device.  ``device_id``, ``pool_id`` and ``marker_name`` are "" without a marker."""

    condition: DeviceCondition
    detail: Text
    device_id: HexIdOrNone
    pool_id: HexIdOrNone
    marker_name: Annotated[str, Meta(max_length=63)]
    capacity_bytes: DeviceBytes
    free_bytes: DeviceBytes
    #: (st_dev, st_ino) of the device's root: equal for two names of the same folder.
    root_identity: tuple[Identity, Identity]
    #: Which file of a dead worker cannot be removed, and why; "" for none.
    unswept: Text = ""
    #: Where the file system of the device's root is mounted; "" where nobody can tell.
    mount_point: Text = ""
    #: Who alone may delete here, as the marker says; "": nobody.
    catalog_id: HexIdOrNone = ""
    #: The last generation of that catalog of which the device knows.
    generation: Generation | None = None
    #: Its worker deletes nothing, no matter who asks.
    append_only: bool = False
    #: Where it stands, as its configuration or its marker says; "" where nobody did.
    site: SiteNameOrNone = ""


#: changed: size or times differ from the plan, or the file changed while it was read;
#: vanished, unreadable: the extent is zeros in the segment;
#: bad-blocks: a range of a raw volume, named in the message, is zeros; the rest of the extent is correct.
ExtentTrouble = Literal["changed", "vanished", "unreadable", "bad-blocks"]

#: Those of what could not be read at all.
UNREAD: frozenset[str] = frozenset(("vanished", "unreadable"))


class ExtentNote(Struct, frozen=True, kw_only=True):
    """An extent that was not read exactly as planned.  ``index`` counts the order's extents from 0."""

    index: Annotated[int, Meta(ge=0, lt=MAX_EXTENTS)]
    trouble: ExtentTrouble
    #: Bytes that were read; the rest of the extent is zeros.
    read_bytes: Count
    message: Text


class FileState(Struct, frozen=True, kw_only=True):
    """A file as ``fstat`` saw it after its extent was read: all extents of one file must agree."""

    size_bytes: Count
    mtime_ns: Nanoseconds
    #: None where the reader's file system does not show it as the walk's does.
    ctime_ns: Nanoseconds | None


class Timing(Struct, frozen=True, kw_only=True):
    """How a segment's time was spent; sums over threads, so they may exceed ``total_s``."""

    read_s: Seconds
    compress_s: Seconds
    write_s: Seconds
    sync_s: Seconds
    total_s: Seconds


class StoreResult(Struct, frozen=True, kw_only=True):
    """The segment is stored: synced, renamed, and its header and seek table read back.

    All columns and indexes are about the extents of the order, whichever of them the segment holds.
    """

    #: Of the extents that it holds.
    bytes_source: Count
    bytes_stored: DeviceBytes
    units_count: Count
    notes: Annotated[tuple[ExtentNote, ...], Meta(max_length=MAX_EXTENTS)]
    #: For a segment that holds part of a file (one extent): the file's state; otherwise None.
    file_state: FileState | None
    #: Whether an earlier delivery had already stored it.
    found: bool
    free_bytes: DeviceBytes
    timing: Timing
    #: The digest in the segment's trailer.  It covers the digests of all other parts: readers of the segment compare
    #: it, so that nothing else is accepted as this segment.
    #: "" where all extents are unchanged, so that nothing was stored.
    trailer_digest: DigestOrNone
    #: Of what was read of each extent (:mod:`tasks.digests`).
    extent_digests: Digests
    #: Of each cell of those stored extents that have more than one.
    cell_digests: Digests
    #: The extents that have the digest which the order knew, ascending: they are not stored.  Of an order that heals,
    #: those that do not have it.
    unchanged: Annotated[tuple[Count, ...], Meta(max_length=MAX_EXTENTS)] = ()

    def __post_init__(self) -> None:
        check_whole((self.extent_digests, self.cell_digests))


class EmptyResult(Struct, frozen=True, kw_only=True):
    """``notes`` name the files that are not empty, or could not be read; of none a byte was kept."""

    notes: Annotated[tuple[ExtentNote, ...], Meta(max_length=MAX_EXTENTS)]


class ManifestResult(Struct, frozen=True, kw_only=True):
    """``names`` answers a listing, ``data_base64`` a read; both are empty after a put."""

    names: Annotated[tuple[ManifestText, ...], Meta(max_length=MAX_MANIFEST_NAMES)] = ()
    data_base64: PartText = ""


class PathTrouble(Struct, frozen=True, kw_only=True):
    """A path that could not be restored, as a whole (``size_bytes`` -1) or in one range.

    ``code`` is ``damaged`` (stored bytes), ``unproved`` (size 0: restored from a segment without its digests),
    ``unsafe-target`` (what is at the path, or on the way to it, cannot be trusted), ``exists``, ``missing`` (the file
    that a hard link joins), ``not-root``, ``unwritable``; ``metadata`` with size 0: only the content was restored;
    ``differs`` with size 0: read back, it is not what was restored; ``skipped``: kept, see
    :class:`tasks.orders.TargetEntry`.
    """

    path: Text
    offset_bytes: Count
    size_bytes: Annotated[int, Meta(ge=-1)]
    code: Annotated[str, Meta(max_length=64)]
    message: Text


class RestoreResult(Struct, frozen=True, kw_only=True):
    """What was restored.

    ``files_count`` counts everything but folders that this order completed; ``skipped_count`` what it kept because of
    ``overwrite``; ``not_kept`` the entries that lack metadata because this user may not set it, ``unsupported`` because
    the target's file system has none of that kind; ``removed_count`` the surplus that is gone.
    """

    files_count: Count
    bytes_restored: Count
    skipped_count: Count
    troubles: Annotated[tuple[PathTrouble, ...], Meta(max_length=MAX_EXTENTS)]
    not_kept: dict[MetadataKind, Count] = field(default_factory=dict)
    unsupported: dict[MetadataKind, Count] = field(default_factory=dict)
    removed_count: Count = 0
    #: Taken from older files in the target; not part of ``bytes_restored``.
    bytes_reused: Count = 0
    #: Of an order to compare: whole files that hold what was stored, and the bytes of all that does.
    verified_files_count: Count = 0
    verified_bytes: Count = 0


class ReadResult(Struct, frozen=True, kw_only=True):
    """All bytes of the range."""

    data_base64: PartText


class SegmentFinding(Struct, frozen=True, kw_only=True):
    """What is wrong with one stored object; ``ranges`` are damaged (offset, size) of its stream."""

    object_id: HexId
    code: Literal["missing", "damaged", "unreadable"]
    message: Text
    ranges: Annotated[tuple[tuple[Count, Count], ...], Meta(max_length=MAX_RANGES)]


class VerifyResult(Struct, frozen=True, kw_only=True):
    segments_count: Count
    bytes_read: Count
    findings: Annotated[tuple[SegmentFinding, ...], Meta(max_length=4096)]


Result = DeviceReport | StoreResult | EmptyResult | ManifestResult | RestoreResult | ReadResult | VerifyResult


class Receipt(Struct, frozen=True, kw_only=True):
    """The envelope.  Exactly one of ``result`` and ``failure`` is set.

    ``result`` has the class that the row of ``task`` promises (:mod:`tasks.registry`).
    """

    task: Annotated[str, Meta(max_length=64)]
    run_id: HexId
    order_id: HexId
    device: DeviceName
    device_id: HexIdOrNone
    epoch: Count
    attempt: Count
    #: Node name of the worker that answers.
    worker: Text
    result: Any
    failure: Failure | None
    version: Literal[1] = WIRE_VERSION
