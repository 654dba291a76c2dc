"""A segment on its way to a device, and one that waits for its next try."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from producer.catalog.tables.segments.rows import SegmentRow


class InFlight(Struct, frozen=True, kw_only=True):
    """A segment on its way to a device, with the entry index of each of its extents."""

    row: SegmentRow
    entries: Sequence[int]


class NextTry(Struct, frozen=True, kw_only=True):
    """The next try of a failed segment, which stays with its device until then.

    ``elsewhere``: on another device, chosen when the try is due.
    """

    row: SegmentRow
    due_s: float
    elsewhere: bool
