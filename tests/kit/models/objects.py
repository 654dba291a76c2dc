"""A line of the index, as a test needs it."""

from __future__ import annotations

from typing import Any

from producer.catalog.tables.objects import StoredObject


def stored_object(number: int = 0, **fields: Any) -> StoredObject:
    """The object with this number, whole, of the segment with the same number, but for ``fields``."""
    common = {
        "object_id": f"{number:02x}" + "0b" * 15,
        "segment_id": f"{number:032x}",
        "device_id": "d" * 32,
        "device": "d",
        "snapshot_id": "a" * 32,
        "size_bytes": 100,
        "bytes_stored": 50,
        "trailer_digest": b"t" * 32,
    }
    return StoredObject(**{**common, **fields})


def number_of(stored: StoredObject) -> int:
    return int(stored.segment_id, 16)
