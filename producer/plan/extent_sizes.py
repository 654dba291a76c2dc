"""The extents that files are compared in, by entry index."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain


class ExtentSizes(Mapping[int, Sequence[int]]):
    """Entry index → the sizes of its extents.  Compact, as a million touched files are mostly of one extent each."""

    def __init__(self) -> None:
        #: Those of files that have several.
        self.several: dict[int, Sequence[int]] = {}
        self._entries = array("I")
        self._sizes_bytes = array("q")

    def add(self, entry: int, sizes_bytes: Sequence[int]) -> None:
        """Entries come in ascending order."""
        if len(sizes_bytes) > 1:
            self.several[entry] = sizes_bytes
        elif sizes_bytes:
            self._entries.append(entry)
            self._sizes_bytes.append(sizes_bytes[0])

    def __getitem__(self, entry: int) -> Sequence[int]:
        if entry in self.several:
            return self.several[entry]
        place = bisect_left(self._entries, entry)
        if place == len(self._entries) or self._entries[place] != entry:
            raise KeyError(entry)
        return (self._sizes_bytes[place],)

    def __iter__(self) -> Iterator[int]:
        return chain(self.several, self._entries)

    def __len__(self) -> int:
        return len(self.several) + len(self._entries)
