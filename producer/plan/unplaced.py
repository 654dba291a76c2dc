"""Segments that have no device yet, as columns: ten million of them take 280 MB."""

from __future__ import annotations

from array import array
from collections.abc import Sequence


class UnplacedSegments:
    """Columns of equal length, one row for each segment.

    A *piece* has ``stop_entry == first_entry + 1`` and is the range ``[offset, offset + size)`` of that entry's
    file.  A *bundle* holds, whole, every file of 1 to the bundle limit's bytes in ``[first_entry, stop_entry)``.
    """

    __slots__ = ("files_counts", "first_entries", "offsets_bytes", "sizes_bytes", "stop_entries")

    def __init__(self) -> None:
        self.first_entries = array("I")
        self.stop_entries = array("I")
        self.offsets_bytes = array("q")
        self.sizes_bytes = array("q")
        self.files_counts = array("I")

    def __len__(self) -> int:
        return len(self.sizes_bytes)

    def append(self, first_entry: int, stop_entry: int, offset_bytes: int, size_bytes: int, files_count: int) -> None:
        self.first_entries.append(first_entry)
        self.stop_entries.append(stop_entry)
        self.offsets_bytes.append(offset_bytes)
        self.sizes_bytes.append(size_bytes)
        self.files_counts.append(files_count)

    def reorder(self, rows: Sequence[int]) -> None:
        """Put the rows into this order, one column after the other: only one column is ever copied at a time."""
        for column in self.__slots__:
            values: array[int] = getattr(self, column)
            setattr(self, column, array(values.typecode, map(values.__getitem__, rows)))
