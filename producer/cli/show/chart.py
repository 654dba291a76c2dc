"""A small chart in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

_BLOCKS = "▁▂▃▄▅▆▇█"
#: For terminals that have only these.
_PLAIN = "_.-=+*#@"


def chart(points: Sequence[tuple[datetime, int]], *, columns_count: int, encoding: str | None) -> str:
    """How an amount grew: ``points`` are (moment, amount from then on), the oldest first.

    Each column is an equal part of the time from the first to the last, and as high as the amount at its end.
    """
    first, last = points[0][0], points[-1][0]
    count = columns_count if last > first else 1
    highest = max(amount for _, amount in points) or 1
    levels = _levels_of(encoding)
    heights, place = [], 0
    for column in range(1, count + 1):
        end = first + (last - first) * (column / count) if column < count else last
        while place + 1 < len(points) and points[place + 1][0] <= end:
            place += 1
        heights.append(points[place][1] * (len(levels) - 1) // highest)
    return "".join(levels[height] for height in heights)


def _levels_of(encoding: str | None) -> str:
    try:
        _BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _PLAIN
    return _BLOCKS
