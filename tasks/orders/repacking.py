"""The order that writes what is needed of a stored object as a new object, and its answer."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tasks.orders.order import Order, Threads
from tasks.values import MAX_EXTENTS, Count, DeviceName, Digest, HexId


class RepackObject(Order, frozen=True, kw_only=True):
    """Write these ``ranges`` of the segment's stream, (offset, size) each, as a new object of the same segment.

    They come from object ``from_object_id`` of a device that the worker reaches, which may be the order's own, and
    which holds all of them.  ``stored_bytes`` and ``trailer_digest``, from the index, decide whether it is the object
    that is meant.  A repeat finds the new object.
    """

    segment_id: HexId
    object_id: HexId
    #: Who stores the new object, as its header says.
    snapshot_id: HexId
    ranges: Annotated[tuple[tuple[Count, Count], ...], Meta(min_length=1, max_length=MAX_EXTENTS)]
    from_object_id: HexId
    from_device: DeviceName
    from_device_id: HexId
    stored_bytes: Count
    trailer_digest: Digest
    threads: Threads


class RepackResult(Struct, frozen=True, kw_only=True):
    """The new object."""

    bytes_stored: Count
    trailer_digest: Digest
