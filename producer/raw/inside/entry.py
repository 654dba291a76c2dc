"""One entry of a file system in an image, and what a reader of such a file system must be able to do."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct

from producer.raw.inside.image_bytes import ImageBytes, Piece


class Node(Struct, frozen=True, kw_only=True):
    """What the file system records about a file, directory or link, apart from its names."""

    #: The same for all names of one node; directories are numbered apart from other nodes.
    identity: int
    #: With the bits of its type.
    mode: int
    uid: int
    gid: int
    size_bytes: int
    links_count: int
    accessed_ns: int
    modified_ns: int

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)


class InsideEntry(Struct, frozen=True, kw_only=True):
    """One entry of the file system in an image; ``path`` is relative to its root."""

    path: str
    #: The reader's name for it.
    number: int
    node: Node


class Reader(Protocol):
    """Reads the file system in one image, whose bytes anybody may have written.

    Every method raises DamagedError for what does not fit together, and ends after work in proportion to the image.
    """

    root: int
    image: ImageBytes
    #: Whether one block may belong to several files.
    shares_blocks: bool

    def node(self, number: int) -> Node:
        """The node that ``number`` names."""

    def names(self, number: int) -> Iterator[tuple[bytes, int]]:
        """Name and number of each entry of a directory, as they are written; without "." and ".." of its own."""

    def pieces(self, number: int) -> Iterator[Piece]:
        """Where the content of a file lies, in ascending order, none of it behind the size of the file."""

    def small_content(self, number: int) -> bytes | None:
        """The content of a file or link that lies beside its node; None where :meth:`pieces` tells where it lies."""

    def link_target(self, number: int) -> bytes:
        """Where a symbolic link leads."""


def path_in(folder: str, name: str) -> str:
    """The path of ``name`` in ``folder``, which is "" for the root."""
    return f"{folder}/{name}" if folder else name
