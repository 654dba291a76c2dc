"""The directories of an image as a tree, whatever they claim to be."""

from __future__ import annotations

import os
from collections.abc import Iterator

from producer.raw.inside.entry import InsideEntry, Reader, path_in
from producer.raw.inside.image_bytes import DamagedError
from producer.raw.inside.names import why_refused
from tasks.errors import SegfleetError

#: They bound memory: what a directory, a path and a damaged image may have.
MOST_ENTRIES = 2_000_000
MOST_LEVELS = 1000
MOST_TROUBLES = 100_000


class Tree:
    """Lists the directories of a file system, each at one place only, and keeps the troubles."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.troubles: list[str] = []

    def root(self) -> InsideEntry:
        """Raises SegfleetError when not even the root can be read."""
        try:
            return InsideEntry(path="", number=self._reader.root, node=self._reader.node(self._reader.root))
        except DamagedError as error:
            raise SegfleetError(
                f"the file system in the image cannot be read: {error}",
                hint="restore the image, repair it with the checker of its file system, and mount it",
            ) from error

    def entry(self, path: str) -> InsideEntry | None:
        """The entry at ``path``; None when there is none."""
        found: InsideEntry | None = self.root()
        reached = ""
        for name in path.split("/") if path else ():
            reached = path_in(reached, name)
            entries = self.entries_in(found) if found and found.node.is_directory else []
            found = next((entry for entry in entries if entry.path == reached), None)
        return found

    def below(self, entry: InsideEntry) -> Iterator[InsideEntry]:
        """All entries below a directory: of each directory its entries, then those of its subdirectories.

        A directory that is its own ancestor, or has a second name, is a trouble and is not entered again.
        """
        seen = {entry.node.identity}
        pending = [entry]
        while pending:
            inner = []
            for found in self.entries_in(pending.pop()):
                if found.node.is_directory and not self._is_entered(found, seen):
                    continue
                yield found
                if found.node.is_directory:
                    inner.append(found)
            pending += reversed(inner)

    def entries_in(self, folder: InsideEntry) -> list[InsideEntry]:
        """The entries directly in ``folder``, by name; those that cannot be read are troubles."""
        found: list[InsideEntry] = []
        taken: set[bytes] = set()
        try:
            for name, number in self._reader.names(folder.number):
                if len(taken) >= MOST_ENTRIES:
                    raise DamagedError(f"only its first {MOST_ENTRIES} entries are read")
                entry = self._entry(folder, name, number, taken)
                if entry is not None:
                    found.append(entry)
        except DamagedError as error:
            self.trouble(folder.path, error)
        return sorted(found, key=lambda entry: os.fsencode(entry.path))

    def trouble(self, path: str, why: object) -> None:
        """Record why something at ``path`` is left out.  Raises SegfleetError for an image that has nothing else."""
        if len(self.troubles) >= MOST_TROUBLES:
            raise SegfleetError(
                f"the file system in the image has more than {MOST_TROUBLES} faults",
                hint="restore the image, and repair it with the checker of its file system",
            )
        self.troubles.append(f"{path or '/'}: {why}")

    def _entry(self, folder: InsideEntry, name: bytes, number: int, taken: set[bytes]) -> InsideEntry | None:
        refused = why_refused(name) or ("occurs twice" if name in taken else "")
        if refused:
            self.trouble(folder.path, f"the name {os.fsdecode(name)!a} {refused}")
            return None
        taken.add(name)
        path = path_in(folder.path, os.fsdecode(name))
        try:
            return InsideEntry(path=path, number=number, node=self._reader.node(number))
        except DamagedError as error:
            self.trouble(path, error)
            return None

    def _is_entered(self, found: InsideEntry, seen: set[int]) -> bool:
        """Whether the directory is met for the first time, and is not too deep."""
        if found.node.identity in seen:
            self.trouble(found.path, "it is a directory that has another name already")
        elif found.path.count("/") >= MOST_LEVELS:
            self.trouble(found.path, f"it is deeper than {MOST_LEVELS} folders")
        else:
            seen.add(found.node.identity)
            return True
        return False
