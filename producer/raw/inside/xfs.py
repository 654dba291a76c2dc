"""Reads XFS in an image, with ``xfs_db`` of xfsprogs.

It lists by inode numbers, so that names may hold anything.  Copying is its command ``rdump``, which releases before
6.14 do not have, and which cannot name what has a blank in its name.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from producer.raw.inside.entry import InsideEntry, path_in
from producer.raw.tools import ask_tool
from tasks.errors import UsageError

#: cookie, inode, type, hash, length of the name; then the name itself, of any bytes, and " (good)".
_ROW = re.compile(rb"\s*\d+ +(\d+) +\w+ +0x[0-9a-f]+ +(\d+) ")

_FIELDS = ("mode", "uid", "gid", "size")
_INODE = re.compile(r"\n".join(rf"core\.{field} = (\d+)" for field in _FIELDS))

#: What xfs_db takes for one word.
_NAMEABLE = re.compile(r"[^\s\"'\\]+")

#: That only root gives files away, and that links have no modes.
_HARMLESS = re.compile(r".*: some .* could not be set")


class XfsReader:
    """See :class:`producer.raw.inside.entry.Reader`."""

    def __init__(self, image: Path) -> None:
        self._image = image
        #: Path → inode number, of what has been listed.
        self._inodes: dict[str, int] = {}

    def entries_in(self, folder: str) -> list[InsideEntry]:
        inode = self._inode_of(folder)
        text, _ = self._ask([f"inode {inode}", "ls"]) if inode is not None else ("", [])
        found = {path_in(folder, name): number for name, number in _names(os.fsencode(text))}
        self._inodes |= found
        wanted = " ".join(f"core.{field}" for field in _FIELDS)
        text, _ = self._ask([line for number in found.values() for line in (f"inode {number}", f"p {wanted}")])
        return [
            InsideEntry(path=path, mode=int(mode, 8), uid=int(uid), gid=int(gid), size_bytes=int(size))
            for path, (mode, uid, gid, size) in zip(found, _INODE.findall(text), strict=True)
        ]

    def copy(self, entry: InsideEntry, target: Path) -> list[str]:
        self._refuse_old_release()
        above = "/".join(takewhile(_NAMEABLE.fullmatch, entry.path.split("/")))
        if above == entry.path:
            place = target / entry.path.rpartition("/")[2] if entry.is_directory else target
            place.mkdir(exist_ok=True)
            return self._dump(above, place)
        with tempfile.TemporaryDirectory(dir=target) as folder:
            troubles = self._dump(above, Path(folder))
            rest = Path(entry.path).relative_to(above)
            (folder / rest).rename(target / rest.name)
        return troubles

    def _dump(self, path: str, target: Path) -> list[str]:
        """Copy a file, or what a folder holds, into ``target``, which need not be nameable itself."""
        complaints = self._ask([f"rdump /{path} ."], folder=target)[1]
        return [line for line in complaints if not _HARMLESS.fullmatch(line)]

    def _refuse_old_release(self) -> None:
        if "not found" in self._ask(["help rdump"])[0]:
            raise UsageError(
                "this release of xfs_db lists the files of an image, but does not copy them",
                hint="install xfsprogs 6.14 or later, or restore the image, and mount it",
            )

    def _inode_of(self, path: str) -> int | None:
        if not path:
            return int(self._ask(["sb 0", "p rootino"])[0].rpartition("=")[2])
        if path not in self._inodes:
            self.entries_in(path.rpartition("/")[0])
        return self._inodes.get(path)

    def _ask(self, commands: Sequence[str], *, folder: Path | None = None) -> tuple[str, list[str]]:
        """What xfs_db answers to the commands, and what it complains of."""
        text = "".join(f"{command}\n" for command in commands)
        return ask_tool("xfs_db", "-r", self._image.absolute(), package="xfsprogs", text=text, folder=folder)


def _names(listing: bytes) -> Iterator[tuple[str, int]]:
    """Name and inode number of each entry that a listing tells."""
    position = 0
    while match := _ROW.match(listing, position):
        name = listing[match.end() : match.end() + int(match[2])]
        if name not in (b".", b".."):
            yield os.fsdecode(name), int(match[1])
        position = listing.find(b"\n", match.end() + len(name)) + 1
