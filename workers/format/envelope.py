"""The frame around a header, a trailer or a parity directory (docs/format.md, section 5).

Fixed fields, a digest, and compressed JSON.
"""

from __future__ import annotations

import json
from typing import Any

from blake3 import blake3
from msgspec import Struct

from tasks.bounded_json import load_bounded
from tasks.errors import DamagedError, DeviceError
from workers.format import layout
from workers.format.stored_bytes import StoredBytes
from workers.units.compress import UnitCompressor, decompress_unit

#: Headers are small and written once: better packing costs a millisecond.
_LEVEL = 9


class EnvelopeKind(Struct, frozen=True, kw_only=True):
    """``name`` is the word for it in errors."""

    name: str
    frame_magic: int
    magic: bytes


HEADER = EnvelopeKind(name="header", frame_magic=layout.HEADER_FRAME_MAGIC, magic=b"SEGFHEAD")
TRAILER = EnvelopeKind(name="trailer", frame_magic=layout.TRAILER_FRAME_MAGIC, magic=b"SEGFTAIL")
PARITY = EnvelopeKind(name="parity directory", frame_magic=layout.PARITY_FRAME_MAGIC, magic=b"SEGFPARI")


class Envelope(Struct, frozen=True, kw_only=True):
    """One envelope as stored: the JSON value in it, its digest, and the length of its whole frame."""

    content: Any
    digest: bytes
    stored_bytes: int


class _Fields(Struct, frozen=True, kw_only=True):
    version: int
    flags: int
    encoding: int
    digest_algorithm: int
    encryption: int
    parity: int
    stored_content_bytes: int
    content_bytes: int
    reserved: bytes


def encode_envelope(kind: EnvelopeKind, content: Any) -> bytes:
    """A whole skippable frame; raises ValueError when ``content`` is larger than the format allows."""
    # ensure_ascii: a name that is not UTF-8 holds lone surrogates, which only escapes can carry.
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    if len(text) > layout.MAX_CONTENT_BYTES:
        raise ValueError(f"a {kind.name} of {len(text)} bytes; the format holds {layout.MAX_CONTENT_BYTES}")
    packed = UnitCompressor(_LEVEL).compress(text)
    start = layout.ENVELOPE.pack(
        kind.frame_magic,
        layout.ENVELOPE_BYTES - layout.FRAME_START.size + len(packed),
        kind.magic,
        layout.FORMAT_VERSION,
        0,
        layout.CONTENT_ZSTD_JSON,
        layout.DIGEST_BLAKE3,
        layout.ENCRYPTION_NONE,
        layout.PARITY_NONE,
        len(packed),
        len(text),
        bytes(8),
    )
    return start + _digest(start, packed) + packed


def read_envelope(
    kind: EnvelopeKind, stored: StoredBytes, offset_bytes: int, *, digest: bytes | None = None
) -> Envelope:
    """The envelope of ``kind`` at ``offset_bytes``; the one of this ``digest``, if it is known.

    Raises DamagedError when it is not exactly what was written, before it decodes anything, and DeviceError when it is
    whole but of a format that this version does not read.
    """
    try:
        return _read(kind, stored, offset_bytes, digest)
    except DamagedError as error:
        raise DamagedError(f"{kind.name}: {error.message}") from error


def digest_of(frame: bytes) -> bytes:
    """The digest in an encoded envelope."""
    return frame[layout.ENVELOPE.size : layout.ENVELOPE_BYTES]


def _read(kind: EnvelopeKind, stored: StoredBytes, offset_bytes: int, expected: bytes | None) -> Envelope:
    start = stored.read_small(offset_bytes, layout.ENVELOPE_BYTES)
    start, digest = start[: layout.ENVELOPE.size], start[layout.ENVELOPE.size :]
    fields = _unpack(kind, start)
    packed = stored.read_small(offset_bytes + layout.ENVELOPE_BYTES, fields.stored_content_bytes)
    if digest != _digest(start, packed):
        raise DamagedError("its BLAKE3 does not match")
    if expected is not None and digest != expected:
        raise DamagedError("it is whole, but not the one that was stored")
    _refuse_unknown(kind, fields)
    if not 0 < fields.content_bytes <= layout.MAX_CONTENT_BYTES:
        raise DamagedError(f"a content of {fields.content_bytes} bytes is out of bounds")
    text = decompress_unit(packed, fields.content_bytes)
    try:
        content = load_bounded(text, layout.MAX_CONTENT_VALUES_COUNT)
    except ValueError as error:
        raise DamagedError(f"its content is not JSON: {error}") from error
    return Envelope(content=content, digest=digest, stored_bytes=layout.ENVELOPE_BYTES + len(packed))


def _unpack(kind: EnvelopeKind, start: bytes) -> _Fields:
    """The fields of a frame that is of ``kind`` and whose lengths agree."""
    frame_magic, frame_bytes, magic, *rest = layout.ENVELOPE.unpack(start)
    if frame_magic != kind.frame_magic or magic != kind.magic:
        raise DamagedError("its magic number is missing")
    names = ("version", "flags", "encoding", "digest_algorithm", "encryption", "parity")
    fields = _Fields(**dict(zip((*names, "stored_content_bytes", "content_bytes", "reserved"), rest, strict=True)))
    if frame_bytes != layout.ENVELOPE_BYTES - layout.FRAME_START.size + fields.stored_content_bytes:
        raise DamagedError("its lengths disagree")
    if fields.stored_content_bytes > layout.MAX_STORED_CONTENT_BYTES:
        raise DamagedError(f"a stored content of {fields.stored_content_bytes} bytes is out of bounds")
    return fields


def _refuse_unknown(kind: EnvelopeKind, fields: _Fields) -> None:
    """Whole, but not ours to read: another version, or a feature that came later."""
    hint = "use a newer release of segfleet"
    if fields.version != layout.FORMAT_VERSION:
        raise DeviceError(
            f"{kind.name}: segment format {fields.version}; this segfleet reads {layout.FORMAT_VERSION}", hint=hint
        )
    expected = (layout.CONTENT_ZSTD_JSON, layout.DIGEST_BLAKE3, layout.ENCRYPTION_NONE, layout.PARITY_NONE)
    found = (fields.encoding, fields.digest_algorithm, fields.encryption, fields.parity)
    if found != expected or fields.flags & layout.RESERVED_FLAGS or any(fields.reserved):
        raise DeviceError(f"{kind.name}: it uses a feature that this segfleet does not know", hint=hint)


def _digest(start: bytes, packed: bytes) -> bytes:
    digest = blake3(start)
    digest.update(packed)
    return digest.digest()
