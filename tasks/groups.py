"""Groups of stored objects that share parity: their bounds, and what orders say of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from tasks.values import Count, DeviceName, Digest, HexId

#: Members of a group, and its rows of parity.
MAX_MEMBERS = 28
MAX_ROWS = 4

#: Files are coded in stripes of this size.  The directory of a group of 28 has room for the digests of 240 GB.
STRIPE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceAt:
    """A device on which something of a group may lie."""

    name: DeviceName
    device_id: HexId


Devices = Annotated[tuple[DeviceAt, ...], Meta(max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupMember:
    """A stored object of a group.  ``trailer_digest``: proves that a file is this object."""

    object_id: HexId
    stored_bytes: Count
    trailer_digest: Digest


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupAt:
    """A group to read an object from that is missing or damaged: from those of ``devices`` that the worker reaches."""

    group_id: HexId
    devices: Devices
