"""Metadata of entries that only some have: extended attributes, flags, and the names of owners."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

#: Of one entry, names and values together.  Linux allows 64 KiB a value and 64 KiB of names.
MAX_ATTRIBUTES_BYTES = 1024 * 1024

AttributeName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00]+$")]
#: 64 KiB in base64.
AttributeValue = Annotated[str, Meta(max_length=90_000, pattern=r"^[A-Za-z0-9+/]*={0,2}$")]
#: Name of an extended attribute -> its value in base64.
Attributes = Annotated[dict[AttributeName, AttributeValue], Meta(max_length=8192)]

#: Rights of a program, no matter who runs it, as set-id bits are.
CAPABILITIES = "security.capability"

#: FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL.
IMMUTABLE, APPEND_ONLY, NO_DUMP = 0x10, 0x20, 0x40
KEPT_FLAGS = IMMUTABLE | APPEND_ONLY | NO_DUMP
Flags = Annotated[int, Meta(ge=0, le=KEPT_FLAGS)]

#: What an entry may be restored without.
MetadataKind = Literal["owner", "mode", "time", "attributes", "flags", "device-node", "fifo", "symlink", "hard-link"]

METADATA_NAMES: dict[MetadataKind, str] = {
    "owner": "owners",
    "mode": "modes",
    "time": "times",
    "attributes": "extended attributes",
    "flags": "file flags",
    "device-node": "device nodes",
    "fifo": "FIFOs",
    "symlink": "symbolic links",
    "hard-link": "hard links",
}

OwnerId = Annotated[str, Meta(pattern=r"^[0-9]{1,10}$")]
OwnerName = Annotated[str, Meta(min_length=1, max_length=256, pattern=r"^[^\x00:\n]+$")]


class OwnerNames(Struct, frozen=True, kw_only=True):
    """What numbers of users and groups were called where the source was read; those without a name are left out."""

    users: Annotated[dict[OwnerId, OwnerName], Meta(max_length=65_536)] = field(default_factory=dict)
    groups: Annotated[dict[OwnerId, OwnerName], Meta(max_length=65_536)] = field(default_factory=dict)


def without_capabilities(attributes: Attributes) -> Attributes:
    """For content that may be another's than that of the file which had them."""
    return {name: value for name, value in attributes.items() if name != CAPABILITIES}


def size_bytes_of(attributes: Mapping[str, str]) -> int:
    """How much room they take in a message, about."""
    return sum(len(name) + len(value) for name, value in attributes.items())
