"""Marks: the tags and the pin of a snapshot as they were changed after its seal.

A small file beside the manifest, which is replaced at each change (docs/manifest.md).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tasks.bounded_json import load_bounded
from tasks.values import HexId

_MARKS = ".marks"
_MAX_VALUES_COUNT = 100_000


class SnapshotMarks(Struct, frozen=True, kw_only=True):
    """``changed``: RFC 3339; of several files of one snapshot that with the latest counts."""

    format_version: Literal[1] = 1
    snapshot_id: HexId
    tags: tuple[str, ...]
    pinned: bool
    changed: Annotated[datetime, Meta(tz=True)]


def marks_name(snapshot_id: str) -> str:
    return f"{snapshot_id}{_MARKS}"


def encode_marks(marks: SnapshotMarks) -> bytes:
    return (json.dumps(msgspec.to_builtins(marks), indent=2) + "\n").encode("ascii")


def decode_marks(data: bytes) -> SnapshotMarks | None:
    """None for anything that is no sound file of marks.  Unknown keys are ignored."""
    try:
        return msgspec.convert(load_bounded(data, _MAX_VALUES_COUNT), SnapshotMarks)
    except (ValueError, TypeError):
        return None
