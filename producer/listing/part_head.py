"""The first line of a tree part or map part: what it refers to, without its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from producer.listing.frames import decode_line, encode_line
from tasks.values import Count, Digest, HexId


class WholeFiles(NamedTuple):
    """The files of a part that lie in one segment, each as a whole, and their bytes there."""

    files_count: int
    size_bytes: int


class PartNeeds(NamedTuple):
    """What a part refers to: the segments that it names itself, and map parts, which name others."""

    segment_ids: list[str]
    maps: list[bytes]
    #: By segment; None where some files lie in several places, or the line does not say.
    whole_files: Mapping[str, WholeFiles] | None


class _Head(Struct, frozen=True, omit_defaults=True):
    """``maps``: the map parts that belong to the part.  The lists of files go with ``segment_ids``."""

    segment_ids: list[HexId]
    maps: list[Digest] = []
    files_counts: list[Count] = []
    files_bytes: list[Count] = []
    has_pieces: bool = False


def head_line(
    segment_ids: Iterable[str], maps: Iterable[bytes], files: Iterable[WholeFiles], *, has_pieces: bool
) -> bytes:
    """The first line of a tree part; ``files`` of each segment in turn."""
    counts = list(files)
    return encode_line(
        _Head(
            segment_ids=list(segment_ids),
            maps=[digest.hex() for digest in maps],
            files_counts=[one.files_count for one in counts],
            files_bytes=[one.size_bytes for one in counts],
            has_pieces=has_pieces,
        )
    )


def needs_in(line: bytes) -> PartNeeds:
    """What a first line says; raises DamagedError where it is none."""
    head = decode_line(line, _Head)
    is_said = len(head.files_counts) == len(head.files_bytes) == len(head.segment_ids)
    files = map(WholeFiles, head.files_counts, head.files_bytes)
    whole_files = dict(zip(head.segment_ids, files, strict=False)) if is_said and not head.has_pieces else None
    return PartNeeds(head.segment_ids, list(map(bytes.fromhex, head.maps)), whole_files)
