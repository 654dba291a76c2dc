"""Lines of JSON in one zstd frame: the form of every part of a manifest.

``zstd -dc PART | head`` shows it without segfleet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
import zstandard

from tasks.bounded_json import check_values, load_bounded
from tasks.errors import DamagedError

T = TypeVar("T")

#: A part is closed at about this size.  2 MiB are some 20,000 entries: decoded in 30 ms, and far
#: below what one order carries (6 MiB compressed).
PART_BYTES = 2 * 1024 * 1024

#: PART_BYTES and the longest line, of 8 MB; what claims more is not decompressed.
MAX_PART_BYTES = 16 * 1024 * 1024

#: A batch has 4096 entries of ten columns, a segment up to 65,536 notes of four.
_MAX_VALUES_COUNT = 512 * 1024

#: A line has 50 bytes at least.
_MAX_LINES_COUNT = 128 * 1024

#: Level 6 saves 15 % of the 10 bytes that an entry takes, and doubles the time of compression.
LEVEL = 3


def encode_line(value: Any) -> bytes:
    """``value`` as one line of JSON.

    msgspec is seven times as fast as the standard library, but refuses text with surrogate escapes; the
    standard library writes those as ``\\udcXX``.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":")).encode("ascii")


def decode_line(line: bytes, cls: type[T], *, max_values_count: int = _MAX_VALUES_COUNT) -> T:
    """The value of class ``cls`` in ``line``; raises DamagedError on anything else."""
    try:
        check_values(line, max_values_count)
    except ValueError as error:
        raise DamagedError(f"a line of a manifest part: {error}") from error
    try:
        return msgspec.json.decode(line, type=cls)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_with_surrogates(line, cls, max_values_count)


def _decode_with_surrogates(line: bytes, cls: type[T], max_values_count: int) -> T:
    try:
        return msgspec.convert(load_bounded(line, max_values_count), cls)
    except (ValueError, TypeError) as error:
        raise DamagedError(f"a line of a manifest part does not decode: {error}") from error


def compress_lines(lines: Iterable[bytes], *, level: int = LEVEL) -> bytes:
    """The lines as one zstd frame with its content size and a checksum."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(b"\n".join([*lines, b""]))


def decompress_lines(data: bytes, *, max_bytes: int = MAX_PART_BYTES) -> list[bytes]:
    """The lines of a part; raises DamagedError on anything that :func:`compress_lines` did not make."""
    try:
        content_bytes = zstandard.get_frame_parameters(data).content_size
        if content_bytes > max_bytes:  # as does a frame that does not say: 2**64 - 1
            raise DamagedError(f"a manifest part claims no size, or more than {max_bytes // 1024**2} MiB")
        content = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedError(f"a manifest part does not decompress: {error}") from error
    if not content.endswith(b"\n"):
        raise DamagedError("a manifest part does not end with a line")
    if content.count(b"\n") > _MAX_LINES_COUNT:
        raise DamagedError(f"a manifest part has more than {_MAX_LINES_COUNT} lines")
    return content[:-1].split(b"\n")


def first_frame_bytes(data: bytes) -> int:
    """How long the first of several frames is; raises DamagedError where there is none."""
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    try:
        # A frame never has more content than it says.
        if zstandard.get_frame_parameters(data).content_size > MAX_PART_BYTES:
            raise DamagedError("a manifest part claims no size, or more than 16 MiB")
        decompressor.decompress(data)
    except zstandard.ZstdError as error:
        raise DamagedError(f"a manifest part does not decompress: {error}") from error
    if not decompressor.eof:
        raise DamagedError("a manifest part ends within its first frame")
    return len(data) - len(decompressor.unused_data)
