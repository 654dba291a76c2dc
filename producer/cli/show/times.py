"""Shows times: to scripts as RFC 3339 in UTC, to people as the clock on their wall, and how long ago that is."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from producer.configuration.values.ages import format_age


def rfc3339(moment: datetime) -> str:
    """2026-03-01T12:00:00Z, to the second; ``moment`` is aware."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def local_time(moment: datetime) -> str:
    """2026-03-01 13:00, in this machine's zone."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


def with_age(moment: datetime, now: datetime | None = None) -> str:
    """2026-03-01 13:00 (3 h ago), or for what is to come (in 3 h)."""
    age = (now or datetime.now(UTC)) - moment
    words = f"in {format_age(-age)}" if age.total_seconds() < 0 else f"{format_age(age)} ago"
    return f"{local_time(moment)} ({words})"


def age_of(moment: datetime) -> str:
    return format_age(datetime.now(UTC) - moment)


def stamped(text: str) -> str:
    """A line of a service, with its time; systemd's journal has that by itself."""
    line = f"segfleet: {text}"
    return line if os.environ.get("JOURNAL_STREAM") else f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}"


def rfc3339_of_ns(time_ns: int) -> str:
    """A file's time, to the nanosecond; ``@SECONDS`` outside the years 1 to 9999."""
    seconds, fraction_ns = divmod(time_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction_ns:09d}Z"


def local_time_of_ns(time_ns: int) -> str:
    """A file's time in this machine's zone, to the minute; ``@SECONDS`` outside the years 1 to 9999."""
    seconds = time_ns // 1_000_000_000
    try:
        return local_time(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"


def with_age_of(written: str) -> str:
    """As :func:`with_age`, of a time as it travels; any other text stays as it is."""
    try:
        return with_age(datetime.fromisoformat(written))
    except (ValueError, TypeError):
        return written
