"""Looks into the image of a volume, and takes files out of it, without mounting it and without root."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from producer.raw.inside.entry import InsideEntry, Reader
from producer.raw.inside.ext.ext import ExtReader
from producer.raw.inside.fat.fat import FatReader
from producer.raw.inside.image_bytes import DamagedError
from producer.raw.inside.taking import take_out
from producer.raw.inside.tree import Tree
from producer.raw.inside.xfs.xfs import XfsReader
from producer.raw.tools import file_system_of
from tasks.errors import SegfleetError, UsageError

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
        self._reader = _reader_of(image)
        self._tree = Tree(self._reader)

    @property
    def troubles(self) -> list[str]:
        """What could not be listed or taken out so far, one text each."""
        return self._tree.troubles

    def entry(self, path: str) -> InsideEntry | None:
        """The entry at ``path``; None when there is none."""
        return self._tree.entry(path)

    def entries_in(self, folder: str) -> list[InsideEntry]:
        """The entries directly in ``folder``, by name; none for anything but a folder."""
        entry = self.entry(folder)
        return self._tree.entries_in(entry) if entry and entry.node.is_directory else []

    def below(self, folder: str) -> Iterator[InsideEntry]:
        """All entries below ``folder``: of each directory its entries, then those of its subdirectories."""
        entry = self.entry(folder)
        if entry and entry.node.is_directory:
            yield from self._tree.below(entry)

    def take_out(self, path: str, target: Path) -> list[str]:
        """Copy what ``path`` holds directly into the folder ``target``; returns what could not be, one text each.

        Modes and times are kept where the file system has them, owners by root only.  Raises UsageError when there is
        nothing at ``path``.
        """
        entry = self.entry(path)
        if entry is None:
            raise UsageError(f"the image holds no {path}", hint="segfleet ls SNAPSHOT VOLUME/ shows what it holds")
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".segfleet-", dir=target) as staging:
            take_out(self._reader, self._tree, entry, Path(staging))
            for item in sorted(Path(staging).iterdir()):
                item.rename(target / item.name)
        return self.troubles


def _reader_of(image: Path) -> Reader:
    kind = file_system_of(image)
    reader = _READERS.get(kind)
    if reader is None:
        raise UsageError(
            f"files can be extracted from images of ext2, ext3, ext4, FAT and XFS only, "
            f"and this one holds {kind or 'none'}",
            hint="restore the image, and mount it: mount -o ro,loop IMAGE FOLDER",
        )
    try:
        return reader(image)
    except DamagedError as error:
        raise SegfleetError(
            f"the file system ({kind}) in the image cannot be read: {error}",
            hint="restore the image, and mount it: mount -o ro,loop IMAGE FOLDER",
        ) from error
