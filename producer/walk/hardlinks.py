"""Recognises the second and later names of one file."""

from __future__ import annotations

import os


class HardLinks:
    """Remembers the first name of each file that it is asked about; ask only about files with several names.

    A rename between two looks may show one name twice: then the second is not a link to itself, but the
    file once more.
    """

    def __init__(self) -> None:
        self._first_names: dict[tuple[int, int], str] = {}

    def first_name(self, status: os.stat_result, name: str) -> str | None:
        """The name under which this file was seen before, or None: then ``name`` is its first."""
        first = self._first_names.setdefault((status.st_dev, status.st_ino), name)
        return first if first != name else None
