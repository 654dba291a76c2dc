"""Looks into the image of a volume, and takes files out of it, without mounting it and without root."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from producer.raw.inside.entry import InsideEntry, Reader
from producer.raw.inside.ext import ExtReader
from producer.raw.inside.fat import FatReader
from producer.raw.inside.xfs import XfsReader
from producer.raw.tools import file_system_of
from tasks.errors import UsageError

#: By the name that ``blkid`` has for the file system.
_READERS: Mapping[str, Callable[[Path], Reader]] = {
    "ext2": ExtReader,
    "ext3": ExtReader,
    "ext4": ExtReader,
    "vfat": FatReader,
    "xfs": XfsReader,
}


class ImageFiles:
    """The files in one image.  Raises UsageError for an image whose file system cannot be read."""

    def __init__(self, image: Path) -> None:
        kind = file_system_of(image)
        reader = _READERS.get(kind)
        if reader is None:
            raise UsageError(
                f"files can be taken out of images of ext2, ext3, ext4, FAT and XFS only, "
                f"and this one holds {kind or 'none'}",
                hint="restore the image, and mount it: mount -o ro,loop IMAGE FOLDER",
            )
        self._reader = reader(image)

    def entry(self, path: str) -> InsideEntry | None:
        """The entry at ``path``; None when there is none."""
        if not path:
            return InsideEntry(path="", mode=0o040755, uid=0, gid=0, size_bytes=0)
        parent, _, name = path.rpartition("/")
        return next((entry for entry in self.entries_in(parent) if entry.path == path and name), None)

    def entries_in(self, folder: str) -> list[InsideEntry]:
        """The entries directly in ``folder``, by name; none for what is no folder."""
        return sorted(self._reader.entries_in(folder), key=lambda entry: os.fsencode(entry.path))

    def below(self, folder: str) -> Iterator[InsideEntry]:
        """All entries below ``folder``: of each directory its entries, then those of its subdirectories."""
        pending = [folder]
        while pending:
            entries = self.entries_in(pending.pop())
            yield from entries
            pending += [entry.path for entry in reversed(entries) if entry.is_directory]

    def take_out(self, path: str, target: Path) -> list[str]:
        """Copy what ``path`` holds directly into the folder ``target``; returns what could not be, one text each.

        Modes and times are kept as far as the file system has them, owners by root only.  Raises UsageError when
        there is nothing at ``path``.
        """
        entry = self.entry(path)
        if entry is None:
            raise UsageError(f"the image holds no {path}", hint="segfleet ls SNAPSHOT VOLUME/ shows what it holds")
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".segfleet-", dir=target) as staging:
            troubles = self._reader.copy(entry, Path(staging))
            found = Path(staging) / path.rpartition("/")[2] if entry.is_directory else Path(staging)
            for item in sorted(found.iterdir()):
                item.rename(target / item.name)
        return troubles
