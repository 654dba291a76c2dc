"""The order that copies a stored object to another device, and its answer."""

from __future__ import annotations

from msgspec import Struct

from tasks.groups import GroupAt
from tasks.orders.order import Order
from tasks.values import Count, DeviceName, Digest, HexId


class CopyObject(Order, frozen=True, kw_only=True):
    """Take over object ``object_id`` from another device that the worker reaches, byte for byte.

    ``stored_bytes`` and ``trailer_digest``, from the index, decide whether it is the object that is meant.  A repeat
    finds the copy.
    """

    object_id: HexId
    from_device: DeviceName
    from_device_id: HexId
    stored_bytes: Count
    trailer_digest: Digest
    #: The object is missing or damaged: make it from its group, whatever ``from_device`` says.
    group: GroupAt | None = None


class CopyResult(Struct, frozen=True, kw_only=True):
    bytes_written: Count
