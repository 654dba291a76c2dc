"""Spans of the calendar as a person writes them: ``7d``, ``1y5m7d2h``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from tasks.errors import UsageError

_SPAN = re.compile(r"(?:\d{1,6}[ymdh])+", re.ASCII)
_PART = re.compile(r"(\d+)([ymdh])", re.ASCII)
_HINT = "write years, months, days and hours, each at most once: 7d, 36h, 1y5m7d2h"


class Span(Struct, frozen=True, kw_only=True):
    years_count: int = 0
    months_count: int = 0
    days_count: int = 0
    hours_count: int = 0

    def __bool__(self) -> bool:
        return any((self.years_count, self.months_count, self.days_count, self.hours_count))

    def before(self, moment: datetime) -> datetime:
        """The moment this span before ``moment``; the first of all where the calendar ends.

        A day that the month does not have is counted from the month's first: a month before the 31st of March is
        the 3rd of March, or the 2nd in a leap year.
        """
        months = (moment.year - self.years_count) * 12 + moment.month - 1 - self.months_count
        try:
            first = moment.replace(year=months // 12, month=months % 12 + 1, day=1)
            return first + timedelta(days=moment.day - 1 - self.days_count, hours=-self.hours_count)
        except (ValueError, OverflowError):
            return datetime.min.replace(tzinfo=UTC)


def parse_span(text: str) -> Span:
    """The span that ``text`` means; raises UsageError."""
    found = _SPAN.fullmatch(text)
    counts = {unit: int(count) for count, unit in _PART.findall(text)} if found else {}
    if not counts or len(counts) != len(_PART.findall(text)):
        raise UsageError(f"{text!r} is not a span of time", hint=_HINT)
    return Span(
        years_count=counts.get("y", 0),
        months_count=counts.get("m", 0),
        days_count=counts.get("d", 0),
        hours_count=counts.get("h", 0),
    )
