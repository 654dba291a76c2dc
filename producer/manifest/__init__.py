"""The manifest of a snapshot: head and parts, as they lie on every device.  docs/manifest.md specifies it."""

from producer.manifest.head import (
    ManifestDevice,
    ManifestHead,
    ManifestLack,
    ManifestPart,
    ManifestSource,
    ManifestTotals,
    decode_head,
    encode_head,
    head_name,
    part_name,
    snapshot_of_head,
)
from producer.manifest.segments import ManifestSegment, decode_segments, encode_segments
from producer.manifest.troubles import ManifestTrouble, decode_troubles, encode_troubles

__all__ = [
    "ManifestDevice",
    "ManifestHead",
    "ManifestLack",
    "ManifestPart",
    "ManifestSegment",
    "ManifestSource",
    "ManifestTotals",
    "ManifestTrouble",
    "decode_head",
    "decode_segments",
    "decode_troubles",
    "encode_head",
    "encode_segments",
    "encode_troubles",
    "head_name",
    "part_name",
    "snapshot_of_head",
]
