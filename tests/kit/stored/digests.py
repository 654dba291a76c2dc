"""The digests that belong to a stream which a test makes up."""

from __future__ import annotations

from typing import TypedDict

from tasks.values import Extents
from workers.sources.content import ContentDigests


class Columns(TypedDict):
    extent_digests: bytes
    cell_digests: bytes


def digests_of(extents: Extents, stream: bytes) -> Columns:
    """As if every byte of the stream had been read."""
    digests, rest = ContentDigests(extents), memoryview(stream)
    for size_bytes in extents.sizes_bytes:
        digests.add(rest[:size_bytes])
        digests.end_extent()
        rest = rest[size_bytes:]
    return {"extent_digests": bytes(digests.extents), "cell_digests": bytes(digests.cells)}
