"""Looks into the image of a volume, and takes files out of it, without mounting it and without root.

The reader is ``debugfs`` of e2fsprogs, which reads ext2, ext3 and ext4.  For other file systems there is none that is
well kept and needs no root; their image can be restored and mounted.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from producer.raw.tools import TIME_LIMIT_S, file_system_of, find_tool
from tasks.errors import SegfleetError, UsageError

_EXTFS = frozenset({"ext2", "ext3", "ext4"})

#: What debugfs prints on standard error and is no trouble: its version, and that only root gives files away.
_HARMLESS = re.compile(r"debugfs \d|.*Operation not permitted while changing ownership")

#: /inode/mode/uid/gid/name/size/
_ROW = re.compile(r"/(\d+)/([0-7]+)/(\d+)/(\d+)/(.*)/(\d*)/")


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


class ImageFiles:
    """The files in one image.  Raises UsageError for an image whose file system cannot be read."""

    def __init__(self, image: Path) -> None:
        kind = file_system_of(image)
        if kind not in _EXTFS:
            raise UsageError(
                f"files can be taken out of images of ext2, ext3 and ext4 only, and this one holds {kind or 'none'}",
                hint="restore the image, and mount it: mount -o ro,loop IMAGE FOLDER",
            )
        self._image = image

    def entry(self, path: str) -> InsideEntry | None:
        """The entry at ``path``; None when there is none."""
        if not path:
            return InsideEntry(path="", mode=0o040755, uid=0, gid=0, size_bytes=0)
        parent, _, name = path.rpartition("/")
        return next((entry for entry in self.entries_in(parent) if entry.path == path and name), None)

    def entries_in(self, folder: str) -> list[InsideEntry]:
        """The entries directly in ``folder``, by name; none for what is no folder."""
        text, _ = self._ask(f"ls -p {_quoted('/' + folder)}")
        found = []
        for line in text.splitlines():
            match = _ROW.fullmatch(line)
            if match and match[5] not in ("", ".", ".."):
                _, mode, uid, gid, name, size = match.groups()
                path = f"{folder}/{name}" if folder else name
                entry = InsideEntry(path=path, mode=int(mode, 8), uid=int(uid), gid=int(gid), size_bytes=int(size or 0))
                found.append(entry)
        return sorted(found, key=lambda entry: os.fsencode(entry.path))

    def below(self, folder: str) -> Iterator[InsideEntry]:
        """All entries below ``folder``: of each directory its entries, then those of its subdirectories."""
        pending = [folder]
        while pending:
            entries = self.entries_in(pending.pop())
            yield from entries
            pending += [entry.path for entry in reversed(entries) if entry.is_directory]

    def take_out(self, path: str, target: Path) -> list[str]:
        """Copy what ``path`` holds directly into the folder ``target``; returns what could not be, one text each.

        Modes and times are kept, owners by root only.  Raises UsageError when there is nothing at ``path``.
        """
        entry = self.entry(path)
        if entry is None:
            raise UsageError(f"the image holds no {path}", hint="segfleet ls SNAPSHOT VOLUME/ shows what it holds")
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".segfleet-", dir=target) as staging:
            _, troubles = self._ask(f"rdump {_quoted('/' + path)} {_quoted(staging)}")
            found = Path(staging) / path.rpartition("/")[2] if entry.is_directory else Path(staging)
            for item in sorted(found.iterdir()):
                item.rename(target / item.name)
        return troubles

    def _ask(self, request: str) -> tuple[str, list[str]]:
        """What debugfs answers, and what it complains of; it ends with 0 in any case."""
        tool = find_tool("debugfs")
        if tool is None:
            raise SegfleetError("debugfs is not installed", hint="install e2fsprogs")
        try:
            done = subprocess.run(
                [tool, "-R", request, str(self._image)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIME_LIMIT_S,
                env={**os.environ, "LC_ALL": "C", "DEBUGFS_PAGER": "cat", "PAGER": "cat"},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SegfleetError(f"debugfs: {error}") from error
        complaints = done.stderr.decode(errors="surrogateescape").splitlines()
        return (
            done.stdout.decode(errors="surrogateescape"),
            [line for line in complaints if line.strip() and not _HARMLESS.match(line)],
        )


def _quoted(path: str) -> str:
    """``path`` as one word of a debugfs request, which knows no escape for its own quotes."""
    if '"' in path or "\n" in path:
        raise UsageError(f"debugfs cannot name {path!r}", hint="take out the folder that it is in")
    return f'"{path}"'
