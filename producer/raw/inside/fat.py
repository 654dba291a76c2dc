"""Reads FAT (12, 16 and 32 bit, with long names) in an image, with ``mdir`` and ``mcopy`` of mtools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from producer.raw.inside.entry import InsideEntry, path_in
from producer.raw.tools import ask_tool

#: Long names are in the characters of the locale.  A volume's own numbers (heads, sectors) need not fit an image.
_VARIABLES = {
    "LC_ALL": "C.UTF-8",
    "MTOOLS_SKIP_CHECK": "1",
    "MTOOLS_DATE_STRING": "yyyy-mm-dd",
    "MTOOLS_TWENTY_FOUR_HOUR_CLOCK": "1",
}

#: Short name and extension, size (a column of 10), date, time, long name where there is one.
_ROW = re.compile(r"(.{8}) (.{3}) *(<DIR>|\d+) +\d{4}-\d\d-\d\d +\d+:\d\d ?(?: (.+))?")


class FatReader:
    """See :class:`producer.raw.inside.entry.Reader`.  FAT has no owners and modes: they are told as if mounted."""

    def __init__(self, image: Path) -> None:
        self._image = image

    def entries_in(self, folder: str) -> list[InsideEntry]:
        # The slash at the end: a file would be listed as a folder that holds itself.
        text, _ = self._ask("mdir", "-a", "-i", self._image, f"{_place(folder)}/")
        found = []
        for match in filter(None, map(_ROW.fullmatch, text.splitlines())):
            stem, extension, size, long_name = match.groups()
            name = long_name or ".".join(filter(None, (stem.rstrip(), extension.rstrip())))
            if stem.rstrip() not in (".", ".."):
                found.append(
                    InsideEntry(
                        path=path_in(folder, name),
                        mode=0o040755 if size == "<DIR>" else 0o100644,
                        uid=0,
                        gid=0,
                        size_bytes=0 if size == "<DIR>" else int(size),
                    )
                )
        return found

    def copy(self, entry: InsideEntry, target: Path) -> list[str]:
        # -s: with what is below; -m: with times; -p: read-only stays so; -n: asks nothing.
        complaints = self._ask("mcopy", "-s", "-m", "-p", "-n", "-i", self._image, _place(entry.path), target)[1]
        return [*complaints, *self._short(entry, target / entry.path.rpartition("/")[2])]

    def _short(self, entry: InsideEntry, copied: Path) -> Iterator[str]:
        """The files that mcopy ended early, which it does not always tell."""
        if entry.is_directory:
            for inner in self.entries_in(entry.path):
                yield from self._short(inner, copied / inner.path.rpartition("/")[2])
            return
        size_bytes = copied.stat().st_size if copied.exists() else 0
        if size_bytes != entry.size_bytes:
            yield f"{entry.path}: {size_bytes} of {entry.size_bytes} bytes could be read"

    def _ask(self, tool: str, *arguments: str | Path) -> tuple[str, list[str]]:
        return ask_tool(tool, *arguments, package="mtools", variables=_VARIABLES)


def _place(path: str) -> str:
    """``path`` as mtools take it.  Of their patterns only [ ] may be in a name of FAT."""
    return f"::/{path}".rstrip("/").replace("[", r"\[") if path else "::"
