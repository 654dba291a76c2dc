"""Moments as people write them: a date, a date with a time, or an age."""

from __future__ import annotations

from datetime import UTC, datetime

from producer.configuration.values.ages import oldest_of, parse_age
from tasks.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_moment_ns(text: str, now: datetime) -> int:
    """Nanoseconds since 1970 of what :func:`parse_moment` returns; raises UsageError."""
    since = parse_moment(text, now) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that ``text`` means: a date, a date and time as in RFC 3339, or an age before ``now``.

    A date is its first moment, and a time without a zone is UTC, as all lists show times.  Raises UsageError.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = _before(text, now)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _before(text: str, now: datetime) -> datetime:
    try:
        return oldest_of(parse_age(text), now)
    except UsageError as error:
        raise UsageError(
            f"{text!r} is not a time", hint="write 2026-11-20, 2026-11-20T18:30, or an age: 36h, 90d, 12w, 2y"
        ) from error
