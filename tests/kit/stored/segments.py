"""Stored segments read by hand, as ``docs/format.md`` (section 9) says: with zstd and nothing of segfleet."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyzstd

_CONTENT_SIZE_AT, _CONTENT_AT = 24, 72


def header_of(segment: Path) -> dict[str, Any]:
    stored = segment.read_bytes()
    size_bytes = int.from_bytes(stored[_CONTENT_SIZE_AT : _CONTENT_SIZE_AT + 4], "little")
    header: dict[str, Any] = json.loads(pyzstd.decompress(stored[_CONTENT_AT : _CONTENT_AT + size_bytes]))
    return header


def stream_of(segment: Path) -> bytes:
    """What ``zstd -dc`` makes of the segment."""
    program = shutil.which("zstd")
    if program is None:
        return bytes(pyzstd.decompress(segment.read_bytes()))
    return subprocess.run([program, "-dc", str(segment)], stdout=subprocess.PIPE, check=True).stdout


def files_in(segments: Iterable[Path]) -> dict[str, bytes]:
    """``<source>/<path>`` → its bytes, put together from all its extents; surrogate escapes in the paths."""
    files: dict[str, bytearray] = {}
    for segment in segments:
        header, stream, start = header_of(segment), stream_of(segment), 0
        extents = header["extents"]
        for path, offset, size in zip(extents["paths"], extents["offsets_bytes"], extents["sizes_bytes"], strict=True):
            content = files.setdefault(f"{header['source']}/{path}".rstrip("/"), bytearray())
            content.extend(bytes(max(0, offset + size - len(content))))
            content[offset : offset + size] = stream[start : start + size]
            start += size
        assert start == len(stream), segment
    return {path: bytes(content) for path, content in files.items()}
