"""Lengths of time as a person writes them: ``90``, ``90s``, ``5m``, ``1h30m``, ``2d``."""

from __future__ import annotations

import re

from tasks.errors import UsageError

_UNITS_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(?P<d>\d{1,6})d)?(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,9})s?)?", re.ASCII)


def parse_duration(text: str) -> int:
    """Seconds; raises UsageError."""
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise UsageError(f"{text!r} is not a length of time", hint="write 90, 90s, 5m, 1h30m or 2d")
    return sum(int(match[unit] or 0) * unit_s for unit, unit_s in _UNITS_S.items())
