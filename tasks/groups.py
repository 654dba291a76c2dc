"""Groups of stored objects that share parity: their bounds, and what orders say of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from tasks.values import Count, DeviceName, Digest, HexId

#: Members of a group, and its rows of parity.
MAX_MEMBERS = 28
MAX_ROWS = 4

#: Files are coded in stripes of this size.  The directory of a group of 28 has room for the digests of 240 GB.
STRIPE_BYTES = 2 * 1024 * 1024


class DeviceAt(Struct, frozen=True, kw_only=True):
    """A device on which something of a group may lie."""

    name: DeviceName
    device_id: HexId


Devices = Annotated[tuple[DeviceAt, ...], Meta(max_length=1000)]


class GroupMember(Struct, frozen=True, kw_only=True):
    """A stored object of a group.  ``trailer_digest``: proves that a file is this object."""

    object_id: HexId
    stored_bytes: Count
    trailer_digest: Digest


class GroupAt(Struct, frozen=True, kw_only=True):
    """A group to read an object from that is missing or damaged: from those of ``devices`` that the worker reaches."""

    group_id: HexId
    devices: Devices
