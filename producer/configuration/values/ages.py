"""Ages as people write them: 36h, 90d, 12w, 2y."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tasks.errors import UsageError

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
_AGE = re.compile(r"(\d{1,6})([hdwy])")


def parse_age(text: str) -> timedelta:
    """The age that ``text`` means; raises UsageError."""
    found = _AGE.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"{text!r} is not an age", hint="write hours, days, weeks or years: 36h, 90d, 12w, 2y")
    return int(found[1]) * _UNITS[found[2]]


def oldest_of(age: timedelta, now: datetime) -> datetime:
    """The moment ``age`` before ``now``, or the first of all."""
    first = datetime.min.replace(tzinfo=UTC)
    return now - age if age < now - first else first


def format_age(age: timedelta) -> str:
    """For people, in one unit: 40 s, 5 min, 26 h, 3 days; a moment ahead of the clock is 0 s old."""
    seconds = max(0, int(age.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86_400:
        return f"{seconds // 3600} h"
    return f"{seconds // 86_400} days"
