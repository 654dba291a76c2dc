"""Reads ext2, ext3 and ext4 in an image, with ``debugfs`` of e2fsprogs."""

from __future__ import annotations

import re
from pathlib import Path

from producer.raw.inside.entry import InsideEntry, path_in
from producer.raw.tools import ask_tool
from tasks.errors import UsageError

#: What debugfs prints on standard error and is no trouble: its version, and that only root gives files away.
_HARMLESS = re.compile(r"debugfs \d|.*Operation not permitted while changing ownership")

#: /inode/mode/uid/gid/name/size/
_ROW = re.compile(r"/(\d+)/([0-7]+)/(\d+)/(\d+)/(.*)/(\d*)/")


class ExtReader:
    """See :class:`producer.raw.inside.entry.Reader`."""

    def __init__(self, image: Path) -> None:
        self._image = image

    def entries_in(self, folder: str) -> list[InsideEntry]:
        text, _ = self._ask(f"ls -p {_quoted('/' + folder)}")
        found = []
        for line in text.splitlines():
            match = _ROW.fullmatch(line)
            if match and match[5] not in ("", ".", ".."):
                _, mode, uid, gid, name, size = match.groups()
                found.append(
                    InsideEntry(
                        path=path_in(folder, name),
                        mode=int(mode, 8),
                        uid=int(uid),
                        gid=int(gid),
                        size_bytes=int(size or 0),
                    )
                )
        return found

    def copy(self, entry: InsideEntry, target: Path) -> list[str]:
        return self._ask(f"rdump {_quoted('/' + entry.path)} {_quoted(str(target))}")[1]

    def _ask(self, request: str) -> tuple[str, list[str]]:
        """What debugfs answers, and what it complains of; it ends with 0 in any case."""
        text, complaints = ask_tool("debugfs", "-R", request, self._image, package="e2fsprogs")
        return text, [line for line in complaints if not _HARMLESS.match(line)]


def _quoted(path: str) -> str:
    """``path`` as one word of a debugfs request, which knows no escape for its own quotes."""
    if '"' in path or "\n" in path:
        raise UsageError(f"debugfs cannot name {path!r}", hint="take out the folder that it is in")
    return f'"{path}"'
