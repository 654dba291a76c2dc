"""Claims and tombstones: small files beside a manifest that say who stores it, and that it was forgotten.

docs/manifest.md specifies them; workers write the claims.
"""

from __future__ import annotations

import json

from tasks.bounded_json import load_bounded

FORMAT_VERSION = 1

_CLAIM, _TOMBSTONE = ".claim", ".forgotten"
_MAX_VALUES_COUNT = 100


def claim_name(snapshot_id: str) -> str:
    return f"{snapshot_id}{_CLAIM}"


def tombstone_name(snapshot_id: str) -> str:
    return f"{snapshot_id}{_TOMBSTONE}"


def is_claim(name: str) -> bool:
    return name.endswith(_CLAIM)


def is_tombstone(name: str) -> bool:
    return name.endswith(_TOMBSTONE)


def encode_tombstone(snapshot_id: str, catalog_id: str) -> bytes:
    """The same bytes each time, so that a repeat writes nothing."""
    found = {"format_version": FORMAT_VERSION, "snapshot_id": snapshot_id, "catalog_id": catalog_id}
    return (json.dumps(found, indent=2) + "\n").encode("ascii")


def claimed_by(data: bytes) -> str:
    """The id of the catalog whose claim this is; "" for what is no claim."""
    try:
        found = load_bounded(data, _MAX_VALUES_COUNT)
    except ValueError:
        return ""
    catalog_id = found.get("catalog_id") if isinstance(found, dict) else None
    return catalog_id if isinstance(catalog_id, str) else ""
