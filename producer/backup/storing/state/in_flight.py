"""A segment on its way to a device, and one that waits for its next try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from producer.catalog.tables.segments.rows import SegmentRow


@dataclass(frozen=True, kw_only=True, slots=True)
class InFlight:
    """A segment on its way to a device, with the entry index of each of its extents."""

    row: SegmentRow
    entries: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class NextTry:
    """The next try of a failed segment, which stays with its device until then.

    ``elsewhere``: on another device, chosen when the try is due.
    """

    row: SegmentRow
    due_s: float
    elsewhere: bool
