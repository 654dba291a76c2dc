"""The manifest of a snapshot: head and parts, as they lie on every device.  docs/manifest.md specifies it."""

from producer.manifest.head import (
    ManifestDevice,
    ManifestHead,
    ManifestLack,
    ManifestPart,
    ManifestSource,
    ManifestTotals,
    PartKind,
    decode_head,
    encode_head,
    head_name,
    part_name,
    snapshot_of_head,
)
from producer.manifest.index import IndexRow, decode_index, encode_index
from producer.manifest.tree import TreeReference, decode_pack, decode_tree, encode_packs, encode_tree
from producer.manifest.troubles import ManifestTrouble, decode_troubles, encode_troubles

__all__ = [
    "IndexRow",
    "ManifestDevice",
    "ManifestHead",
    "ManifestLack",
    "ManifestPart",
    "ManifestSource",
    "ManifestTotals",
    "ManifestTrouble",
    "PartKind",
    "TreeReference",
    "decode_head",
    "decode_index",
    "decode_pack",
    "decode_tree",
    "decode_troubles",
    "encode_head",
    "encode_index",
    "encode_packs",
    "encode_tree",
    "encode_troubles",
    "head_name",
    "part_name",
    "snapshot_of_head",
]
