"""Turns units into zstd frames and back; the only module of ``workers`` that imports zstandard.

A frame states the size of its content and ends with an xxh64 checksum of it (docs/format.md, section 6).
"""

from __future__ import annotations

import zstandard
from msgspec import Struct

from tasks.errors import DamagedError

#: The longest frame header: magic, descriptor, window, dictionary id, content size.
MAX_FRAME_HEADER_BYTES = 18

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class UnitCompressor:
    """Compresses one unit into one frame.  Keeps a zstd context, so every thread needs one of its own."""

    def __init__(self, level: int) -> None:
        self._compressor = zstandard.ZstdCompressor(
            level=level, write_checksum=True, write_content_size=True, write_dict_id=False
        )

    def compress(self, unit: bytes | memoryview) -> bytes:
        """A complete frame that holds ``unit``.  Releases the GIL; keeps no reference to ``unit``."""
        return self._compressor.compress(unit)


class FrameHeader(Struct, frozen=True, kw_only=True):
    """A frame's header.  ``content_bytes`` is the size that it *claims* to decompress to."""

    header_bytes: int
    content_bytes: int
    has_checksum: bool


def read_frame_header(start: bytes) -> FrameHeader:
    """The header of the frame that begins with ``start`` (MAX_FRAME_HEADER_BYTES, or all there is).

    Raises DamagedError when it is not the start of a zstd frame.
    """
    if not start.startswith(_ZSTD_MAGIC):
        raise DamagedError("no zstd frame begins here")
    try:
        parameters = zstandard.get_frame_parameters(start)
        header_bytes = zstandard.frame_header_size(start)
    except zstandard.ZstdError as error:
        raise DamagedError(f"its frame header is not valid: {error}") from error
    return FrameHeader(
        header_bytes=header_bytes,
        content_bytes=parameters.content_size,
        has_checksum=parameters.has_checksum,
    )


def decompress_unit(frame: bytes, size_bytes: int) -> bytes:
    """The content of ``frame``, exactly ``size_bytes`` long and matching the frame's checksum.

    Anything else raises DamagedError.  ``size_bytes`` bounds what is allocated, whatever the frame
    claims.  Thread-safe; releases the GIL.
    """
    header = read_frame_header(frame[:MAX_FRAME_HEADER_BYTES])
    if header.content_bytes != size_bytes:
        raise DamagedError(f"its frame is for {header.content_bytes} bytes, not {size_bytes}")
    if not header.has_checksum:
        raise DamagedError("its frame has no checksum")
    try:
        content = zstandard.ZstdDecompressor().decompress(frame, max_output_size=size_bytes, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedError(f"zstd: {error}") from error
    if len(content) != size_bytes:
        raise DamagedError(f"its frame gave {len(content)} bytes, not {size_bytes}")
    return content
