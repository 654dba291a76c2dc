"""Orders that find and delete what nothing on a device needs any more, and their answers (docs/retention.md)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tasks.orders.manifests import ManifestName
from tasks.orders.order import Order
from tasks.receipts import MAX_RANGES, HexIdOrNone, Text
from tasks.values import MAX_EXTENTS, Count, Digest, Extents, HexId, SourceName

#: What one order deletes, and one answer looks into.
MAX_DELETED = 1024
#: Objects whose ids begin with one digit: a device has sixteen times as many.
MAX_LISTED = 500_000
#: What one order describes: its answer may hold some hundred digests of each.
MAX_DESCRIBED = 64


class DeleteStored(Order, frozen=True, kw_only=True):
    """Delete files of manifests, then stored objects, in this order.  What is not there is no error.

    Refused unless the device's marker names ``catalog_id``, and by the workers of a device that only grows.
    """

    catalog_id: HexId
    manifest_names: Annotated[tuple[ManifestName, ...], Meta(max_length=MAX_DELETED)] = ()
    object_ids: Annotated[tuple[HexId, ...], Meta(max_length=MAX_DELETED)] = ()


class KeptFile(Struct, frozen=True, kw_only=True):
    """A file that could not be deleted.  ``name``: an object's id, or the name of a file of a manifest."""

    name: Annotated[str, Meta(max_length=64)]
    message: Text


class DeleteResult(Struct, frozen=True, kw_only=True):
    """``deleted_count`` and ``bytes_freed`` are of files that were there."""

    deleted_count: Count
    bytes_freed: Count
    kept: Annotated[tuple[KeptFile, ...], Meta(max_length=2 * MAX_DELETED)] = ()


class ListObjects(Order, frozen=True, kw_only=True):
    """Name the stored objects whose ids begin with ``digit``, and say where they lie ``with_positions``."""

    digit: Annotated[str, Meta(pattern=r"^[0-9a-f]$")]
    with_positions: bool = False


class ObjectsResult(Struct, frozen=True, kw_only=True):
    """``positions``: one number for each object, if they were asked for; what has close numbers lies close together."""

    object_ids: Annotated[tuple[HexId, ...], Meta(max_length=MAX_LISTED)]
    positions: Annotated[tuple[Count, ...], Meta(max_length=MAX_LISTED)] = ()


class ExamineObjects(Order, frozen=True, kw_only=True):
    """Say which snapshot stored each object, as its header says."""

    object_ids: Annotated[tuple[HexId, ...], Meta(max_length=MAX_DELETED)]


class OriginsResult(Struct, frozen=True, kw_only=True):
    """One element for each object; "" where no sound header says it, and 0 bytes where there is no file."""

    snapshot_ids: Annotated[tuple[HexIdOrNone, ...], Meta(max_length=MAX_DELETED)]
    bytes_stored: Annotated[tuple[Count, ...], Meta(max_length=MAX_DELETED)]


class DescribeObjects(Order, frozen=True, kw_only=True):
    """Say what each object holds, as its header and trailer say: of one ``with_origin`` also of which files."""

    object_ids: Annotated[tuple[HexId, ...], Meta(max_length=MAX_DESCRIBED)]
    with_origin: bool = False


class ObjectOrigin(Struct, frozen=True, kw_only=True):
    """Of which files an object's stream consists.  ``number``: of the segment in its snapshot's plan.

    ``unread``: the extents, by their indexes, of which nothing was read.
    """

    volume: SourceName
    source: SourceName
    number: Count
    extents: Extents
    unread: Annotated[tuple[Count, ...], Meta(max_length=MAX_EXTENTS)] = ()


class ObjectContent(Struct, frozen=True, kw_only=True):
    """What an object holds: ``ranges`` of its segment's stream, ascending and apart."""

    object_id: HexId
    segment_id: HexId
    snapshot_id: HexId
    ranges: Annotated[tuple[tuple[Count, Count], ...], Meta(max_length=MAX_RANGES)]
    bytes_stored: Count
    trailer_digest: Digest
    #: Of the digests of all its extents: two objects with the same one hold the same.
    content_digest: Digest
    origin: ObjectOrigin | None = None

    @property
    def size_bytes(self) -> int:
        return sum(size_bytes for _, size_bytes in self.ranges)


class ContentsResult(Struct, frozen=True, kw_only=True):
    """Of those objects that are sound segments, in the order in which they were named."""

    contents: Annotated[tuple[ObjectContent, ...], Meta(max_length=MAX_DESCRIBED)]
