"""The head of a manifest: what the snapshot is, where it is stored, and which parts describe it.

JSON with indentation, for people too.  Written last: without a head there is no snapshot.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from tasks.bounded_json import load_bounded
from tasks.errors import DamagedError, DeviceError
from tasks.orders import Level
from tasks.sources.metadata import OwnerNames
from tasks.values import Count, DeviceName, Digest, HexId, SourceName, UnitBytes

FORMAT_VERSION: Literal[1] = 1

#: Times as RFC 3339 in UTC, to the second or finer: 2025-03-01T12:00:00Z
UtcTime = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")]

#: Parts have six; of the entries of a snapshot 4 million are in 200 parts.
_MAX_VALUES_COUNT = 512 * 1024

PartKind = Literal["tree", "pack", "index", "troubles"]


class ManifestSource(Struct, frozen=True, kw_only=True):
    """``path`` is where the source was.  It is for people; a restore never uses it."""

    name: SourceName
    path: str
    #: raw: the source is one block device or image file.
    mode: Literal["files", "raw"] = "files"


class ManifestDevice(Struct, frozen=True, kw_only=True):
    """A device that holds segments of the snapshot; its place in the head is what segments refer to."""

    name: DeviceName
    device_id: HexId
    segments_count: Count
    bytes_stored: Count


class ManifestTotals(Struct, frozen=True, kw_only=True):
    files_count: Count
    bytes_source: Count
    bytes_stored: Count
    segments_count: Count


class ManifestPart(Struct, frozen=True, kw_only=True):
    """One part beside the head.  ``size_bytes`` and ``blake3`` are those of the file as it lies on the device."""

    name: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\.[0-9]{6}\.part$")]
    kind: PartKind
    size_bytes: Count
    blake3: Digest


class ManifestLack(Struct, frozen=True, kw_only=True):
    """A device that was away when the manifest was written, and what could not be restored without it.

    Of that, ``omitted_…`` is on no device.
    """

    device_id: HexId
    files_count: Count
    bytes_source: Count
    omitted_files_count: Count = 0
    omitted_bytes_source: Count = 0


class ManifestHead(Struct, frozen=True, kw_only=True):
    """Fields as in docs/manifest.md."""

    format_version: Literal[1] = FORMAT_VERSION
    snapshot_id: HexId
    #: The snapshot that it was compared with; "" for none.
    parent_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
    pool_id: HexId
    volume: SourceName
    mode: Literal["files", "raw", "mixed"]
    started: UtcTime
    ended: UtcTime
    hostname: str
    program_version: str
    tags: tuple[str, ...]
    #: In a person's words.
    description: str = ""
    sources: tuple[ManifestSource, ...]
    split: Literal["threshold", "remaining"]
    order: Literal["descending", "ascending"]
    threshold_bytes: Count
    unit_bytes: UnitBytes
    block_bytes: Annotated[int, Meta(ge=512, le=1024 * 1024)]
    level: Level
    devices: tuple[ManifestDevice, ...]
    totals: ManifestTotals
    parts: tuple[ManifestPart, ...]
    incomplete: tuple[ManifestLack, ...] = ()
    #: What users and groups of the entries are called where the sources were read.
    owner_names: OwnerNames = field(default_factory=OwnerNames)
    #: On how many devices each segment is to lie, and how many devices parity is to replace.
    copies: Annotated[int, Meta(ge=1, le=255)] = 1
    parity: Annotated[int, Meta(ge=0, le=255)] = 0


def head_name(snapshot_id: str) -> str:
    """Name of the head's file on a device."""
    return f"{snapshot_id}.manifest"


def snapshot_of_head(name: str) -> str | None:
    """The id of the snapshot whose head the file ``name`` is; None for a part."""
    return name.removesuffix(".manifest") if name.endswith(".manifest") else None


def part_name(snapshot_id: str, number: int) -> str:
    """Name of a part's file on a device; ``number`` counts all parts of a snapshot from 0."""
    return f"{snapshot_id}.{number:06d}.part"


def encode_head(head: ManifestHead) -> bytes:
    """The head as its file holds it.  ASCII; text that is not UTF-8 survives as surrogate escapes."""
    return (json.dumps(msgspec.to_builtins(head), indent=2) + "\n").encode("ascii")


def decode_head(data: bytes) -> ManifestHead:
    """The head in ``data``.

    Raises DamagedError on anything that is not a sound head, and DeviceError on a head of a later format.
    Unknown keys are ignored: a later release may add some.
    """
    head = _convert(_parse(data))
    if any(not part.name.startswith(f"{head.snapshot_id}.") for part in head.parts):
        raise DamagedError("manifest head: a part belongs to another snapshot")
    return head


def _parse(data: bytes) -> dict[str, Any]:
    try:
        found = load_bounded(data, _MAX_VALUES_COUNT)
    except ValueError as error:
        raise DamagedError(f"manifest head: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DamagedError("manifest head: not a JSON object")
    version = found.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise DeviceError(
            f"manifest head: format version {version}; this segfleet reads up to {FORMAT_VERSION}",
            hint="use a newer segfleet",
        )
    return found


def _convert(found: dict[str, Any]) -> ManifestHead:
    try:
        return msgspec.convert(found, ManifestHead)
    except (ValueError, TypeError) as error:
        raise DamagedError(f"manifest head: {error}") from error
