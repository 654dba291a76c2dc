"""One entry of a file system in an image, and what a reader of such a file system must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class InsideEntry:
    """One entry of the file system in an image; ``path`` is relative to its root."""

    path: str
    #: With the bits of its type.
    mode: int
    uid: int
    gid: int
    size_bytes: int

    @property
    def is_directory(self) -> bool:
        return self.mode & 0o170000 == 0o040000


class Reader(Protocol):
    """Reads the file system in one image by a tool that needs no mount and no root.  Raises SegfleetError."""

    def entries_in(self, folder: str) -> list[InsideEntry]:
        """The entries directly in ``folder``, in any order; none for what is no folder."""

    def copy(self, entry: InsideEntry, target: Path) -> list[str]:
        """Copy the entry, under its name, into the empty folder ``target``; of the root its entries.

        Returns what could not be copied, one text each.
        """


def path_in(folder: str, name: str) -> str:
    """The path of ``name`` in ``folder``, which is "" for the root."""
    return f"{folder}/{name}" if folder else name
