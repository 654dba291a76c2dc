"""Shows times: RFC 3339, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(moment: datetime) -> str:
    """2026-03-01T12:00:00Z, to the second; ``moment`` is aware."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def rfc3339_of_ns(time_ns: int) -> str:
    """A file's time, to the nanosecond; ``@SECONDS`` outside the years 1 to 9999."""
    seconds, fraction_ns = divmod(time_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction_ns:09d}Z"
