"""Recognises second and later names of a file."""

from __future__ import annotations


class HardLinks:
    """Remembers the first name of each file; call it only for files with several names.

    After a rename during the walk one name may appear twice: then the second is no link to itself, but the file once
    more.
    """

    def __init__(self) -> None:
        self._first_names: dict[tuple[int, int], str] = {}

    def first_name(self, file: tuple[int, int], name: str) -> str | None:
        """The name under which a file (file system, inode) was seen before, or None if ``name`` is its first."""
        first = self._first_names.setdefault(file, name)
        return first if first != name else None
