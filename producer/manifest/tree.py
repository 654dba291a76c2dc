"""The tree of a snapshot on a device: the list of its parts, and packs of parts that no earlier snapshot brought."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from producer.listing.frames import (
    PART_BYTES,
    compress_lines,
    decode_line,
    decompress_lines,
    encode_line,
    first_frame_bytes,
)
from tasks.errors import DamagedError
from tasks.values import Count, Digest

#: References in one line: 300 kB.
_REFERENCES_A_LINE = 4096


class TreeReference(NamedTuple):
    """One part of the tree, by its digest; ``source`` counts the head's sources from 0."""

    digest: str
    source: int
    entries_count: int


class _References(Struct, frozen=True, kw_only=True):
    digests: list[Digest]
    sources: list[Count]
    entries_counts: list[Count]


class _PackHead(Struct, frozen=True, kw_only=True):
    """The first line of a pack: what follows, in its order."""

    digests: list[Digest]
    sizes_bytes: list[Count]


def encode_tree(references: Iterable[TreeReference]) -> Iterator[bytes]:
    """The list of a tree's parts, as files of a few MiB at most."""
    lines: list[bytes] = []
    pending = list(references)
    for start in range(0, len(pending), _REFERENCES_A_LINE):
        digests, sources, counts = zip(*pending[start : start + _REFERENCES_A_LINE], strict=True)
        lines.append(encode_line(_References(digests=[*digests], sources=[*sources], entries_counts=[*counts])))
        if sum(map(len, lines)) > PART_BYTES:
            yield compress_lines(lines)
            lines = []
    if lines:
        yield compress_lines(lines)


def decode_tree(data: bytes) -> list[TreeReference]:
    """The references of one file; raises DamagedError on anything that is not a sound one."""
    found: list[TreeReference] = []
    for text in decompress_lines(data):
        line = decode_line(text, _References)
        if not len(line.digests) == len(line.sources) == len(line.entries_counts):
            raise DamagedError("list of a tree: columns differ in length")
        found += map(TreeReference, line.digests, line.sources, line.entries_counts)
    return found


def encode_packs(parts: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """(digest, part as it is stored), as files of a few MiB at most."""
    pack: list[tuple[str, bytes]] = []
    pack_bytes = 0
    for digest, data in parts:
        if pack and pack_bytes + len(data) > PART_BYTES:
            yield _pack(pack)
            pack, pack_bytes = [], 0
        pack.append((digest, data))
        pack_bytes += len(data)
    if pack:
        yield _pack(pack)


def _pack(parts: list[tuple[str, bytes]]) -> bytes:
    head = _PackHead(digests=[digest for digest, _ in parts], sizes_bytes=[len(data) for _, data in parts])
    return b"".join([compress_lines([encode_line(head)]), *(data for _, data in parts)])


def decode_pack(data: bytes) -> dict[str, bytes]:
    """Digest → part as it is stored; raises DamagedError on anything that is not a sound pack.

    The parts themselves are not looked into.
    """
    first_bytes = first_frame_bytes(data)
    (text,) = decompress_lines(data[:first_bytes])
    head = decode_line(text, _PackHead)
    if len(head.digests) != len(head.sizes_bytes) or first_bytes + sum(head.sizes_bytes) != len(data):
        raise DamagedError("pack: its list does not fit its parts")
    found, start = {}, first_bytes
    for digest, size_bytes in zip(head.digests, head.sizes_bytes, strict=True):
        found[digest] = data[start : start + size_bytes]
        start += size_bytes
    return found
