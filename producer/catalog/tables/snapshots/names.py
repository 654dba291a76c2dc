"""What a person calls a snapshot: digits of its id, ``latest``, ``latest~2``, ``NAME@latest``, ``NAME@2026-11-20``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from tasks.errors import UsageError

LIST_HINT = "segfleet snapshots lists them"

_PREFIX = re.compile(r"[0-9a-f]{8,32}")
_BY_TIME = re.compile(r"(?:(?P<volume>[^@]+)@)?(?:latest(?:~(?P<back>\d{1,9}))?|(?P<day>\d{4}-\d\d-\d\d))")


class ByTime(Struct, frozen=True, kw_only=True):
    """The newest snapshot of a volume, or the one ``back`` before it; none that began at ``until``."""

    #: "": the only one.
    volume: str = ""
    back: int = 0
    until: datetime | None = None


def parse_name(name: str) -> str | ByTime:
    """The first digits of an id, in lower case, or a snapshot by its time; raises UsageError for anything else."""
    if _PREFIX.fullmatch(name.lower()):
        return name.lower()
    found = _BY_TIME.fullmatch(name)
    if found is None or (found["day"] and not found["volume"]):
        raise UsageError(
            f"{name!r} does not name a snapshot: give 8 or more hex digits, latest, latest~N, VOLUME@latest or "
            "VOLUME@2026-11-20",
            hint=LIST_HINT,
        )
    return ByTime(volume=found["volume"] or "", back=int(found["back"] or 0), until=_end_of(found["day"]))


def _end_of(day: str | None) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{day} is not a date", hint="write it as 2026-11-20; days begin at midnight UTC") from error
