"""The trailer: what was really read from each extent, and what proves that the units are whole."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from tasks.digests import DIGEST_BYTES, Digests, check_whole, listed_cells_count
from tasks.errors import DamagedError
from tasks.receipts import ExtentNote, FileState
from tasks.values import MAX_EXTENTS, MAX_UNIT_BYTES, Digest, Extents
from workers.format import layout
from workers.format.envelope import TRAILER, Envelope, encode_envelope

UnitSize = Annotated[int, Meta(ge=1, le=MAX_UNIT_BYTES)]
FrameSize = Annotated[int, Meta(ge=1, le=layout.MAX_FRAME_BYTES)]


class SegmentTrailer(Struct, frozen=True, kw_only=True):
    """Known when the last unit is written.  The columns about units have one length, in stream order.

    ``header_digest`` is the digest in the header's frame: it ties the two together.
    """

    notes: tuple[ExtentNote, ...]
    file_state: FileState | None
    header_digest: bytes
    unit_sizes_bytes: tuple[int, ...]
    unit_stored_bytes: tuple[int, ...]
    #: BLAKE3 of the stored bytes of each unit.
    unit_digests: tuple[bytes, ...]
    #: Of what was read of each extent, and of each cell of the extents that have more than one (:mod:`tasks.digests`).
    extent_digests: bytes
    cell_digests: bytes


class _Content(Struct, frozen=True, kw_only=True):
    """The trailer as JSON has it."""

    notes: Annotated[tuple[ExtentNote, ...], Meta(max_length=MAX_EXTENTS)]
    file_state: FileState | None
    header_digest: Digest
    unit_sizes_bytes: tuple[UnitSize, ...]
    unit_stored_bytes: tuple[FrameSize, ...]
    unit_digests: tuple[Digest, ...]
    extent_digests: Digests
    cell_digests: Digests

    def __post_init__(self) -> None:
        check_whole((self.extent_digests, self.cell_digests))
        if not len(self.unit_sizes_bytes) == len(self.unit_stored_bytes) == len(self.unit_digests):
            raise ValueError("the columns of units differ in length")


def encode_trailer(trailer: SegmentTrailer) -> bytes:
    """The trailer frame; raises ValueError when it is larger than the format allows."""
    content = _Content(
        notes=trailer.notes,
        file_state=trailer.file_state,
        header_digest=trailer.header_digest.hex(),
        unit_sizes_bytes=trailer.unit_sizes_bytes,
        unit_stored_bytes=trailer.unit_stored_bytes,
        unit_digests=tuple(digest.hex() for digest in trailer.unit_digests),
        extent_digests=trailer.extent_digests,
        cell_digests=trailer.cell_digests,
    )
    return encode_envelope(TRAILER, msgspec.to_builtins(content))


def decode_trailer(envelope: Envelope) -> SegmentTrailer:
    """The trailer in ``envelope``; unknown keys are ignored; raises DamagedError when it does not validate."""
    try:
        content = msgspec.convert(envelope.content, _Content)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise DamagedError(f"trailer: {error}") from error
    return SegmentTrailer(
        notes=content.notes,
        file_state=content.file_state,
        header_digest=bytes.fromhex(content.header_digest),
        unit_sizes_bytes=content.unit_sizes_bytes,
        unit_stored_bytes=content.unit_stored_bytes,
        unit_digests=tuple(bytes.fromhex(digest) for digest in content.unit_digests),
        extent_digests=content.extent_digests,
        cell_digests=content.cell_digests,
    )


def has_digests_of(extents: Extents, extent_digests: bytes, cell_digests: bytes) -> bool:
    """Whether there are as many digests as these extents and their cells must have."""
    counts = len(extent_digests) // DIGEST_BYTES, len(cell_digests) // DIGEST_BYTES
    return counts == (len(extents), listed_cells_count(extents))
