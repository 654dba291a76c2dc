"""What the last backup of a volume found in its directories: where that is so still, nobody looks closer.

It lies in the state folder, and is no more than a shortcut: without it, each entry is compared with the parent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from producer.host.whole_file import write_whole
from producer.listing.entry import EntryBatch

_DIGEST_BYTES = 16


class KnownDirectory(Struct, frozen=True, array_like=True):
    """``first_entry``, ``entries_count``: where a snapshot has what is in the directory."""

    mark: bytes
    first_entry: int
    entries_count: int

    def has_any_of(self, entries: Iterable[int]) -> bool:
        return any(self.first_entry <= entry < self.first_entry + self.entries_count for entry in entries)


class KnownDirectories(Struct, frozen=True, kw_only=True):
    """Of a sealed snapshot: those that it has just as they were found, with all files settled."""

    snapshot_id: str
    #: Source → path in bytes → directory.
    directories: dict[str, dict[bytes, KnownDirectory]]

    def marks(self, source: str) -> dict[bytes, bytes]:
        """By path in bytes."""
        return {path: one.mark for path, one in self.directories.get(source, {}).items()}


class Before(Protocol):
    """What has the entries of known directories."""

    @property
    def known(self) -> KnownDirectories: ...

    def batch(self, source: str, directory: str) -> EntryBatch | None:
        """All that is in the directory, with its places; None when it cannot be read."""


def read_known(path: Path) -> KnownDirectories | None:
    """None when nothing sound is there."""
    with suppress(OSError, msgspec.MsgspecError):
        data = path.read_bytes()
        if hashlib.blake2b(data[_DIGEST_BYTES:], digest_size=_DIGEST_BYTES).digest() == data[:_DIGEST_BYTES]:
            return msgspec.msgpack.decode(data[_DIGEST_BYTES:], type=KnownDirectories)
    return None


def write_known(path: Path, known: KnownDirectories) -> None:
    """Raises OSError."""
    content = msgspec.msgpack.encode(known)
    write_whole(path, hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest() + content)
