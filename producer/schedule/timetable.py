"""The moments that a cron line means in a time zone.

cronsim does the arithmetic, on the wall clock, where every day has 24 hours.  This module adds
which moment a wall-clock time means on the two days a year when the clock changes:

- A time that does not exist (02:30 when the clock goes from 02:00 to 03:00) means the moment of the change.
- A time that occurs twice means the first of the two.
- A line that fires every hour goes by elapsed time instead: it skips no hour, and fires twice in the hour that
  occurs twice.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from tasks.errors import UsageError

_FIELDS = "minute hour day-of-month month day-of-week"
_HOURS_OF_A_DAY = 24

#: As cron has them.
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

#: Any day: whether a line is right does not depend on it.
_ANY_DAY = datetime(2000, 1, 1)


class Timetable:
    """A cron line in a time zone.

    Raises UsageError for a line or zone that does not parse, and for a line that never fires.
    """

    def __init__(self, cron: str, timezone: str) -> None:
        self._zone = _zone(timezone)
        self._fields = _fields(cron)
        self._every_hour = len(CronSim(self._fields, _ANY_DAY).hours) == _HOURS_OF_A_DAY

    def next_after(self, moment: datetime) -> datetime:
        """The first moment after ``moment`` (which has a time zone), in UTC."""
        if self._every_hour:
            return self._next_by_elapsed_time(moment)
        wall = self._next_wall(_wall(moment.astimezone(self._zone)))
        # In an hour's second passing, the next wall-clock time may mean a moment of the first.
        while (due := self._moment_of(wall)) <= moment:
            wall = self._next_wall(wall)
        return due

    def _next_by_elapsed_time(self, moment: datetime) -> datetime:
        """Wall time and elapsed time agree between two changes of the clock; start over at each change."""
        offset = self._offset(moment)
        due = self._next_at_offset(moment, offset)
        while (new_offset := self._offset(due)) != offset:
            change = self._change_between(moment, due)
            moment, offset = change - timedelta(minutes=1), new_offset
            due = self._next_at_offset(moment, offset)
        return due

    def _next_at_offset(self, moment: datetime, offset: timedelta) -> datetime:
        return (self._next_wall(_wall(moment.astimezone(UTC)) + offset) - offset).replace(tzinfo=UTC)

    def _next_wall(self, wall: datetime) -> datetime:
        # Without a zone no hour is missing and none comes twice.
        return next(CronSim(self._fields, wall))

    def _moment_of(self, wall: datetime) -> datetime:
        first = wall.replace(tzinfo=self._zone).astimezone(UTC)
        if _wall(first.astimezone(self._zone)) == wall:
            return first
        # Does not exist.  PEP 495: fold=1 counts with the offset after the change, which leads to before the change.
        before = wall.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        return self._change_between(before, first)

    def _change_between(self, early: datetime, late: datetime) -> datetime:
        """When the clock changed, between two moments of different offsets; to the second."""
        new_offset = self._offset(late)
        seconds = range(int(early.timestamp()), int(late.timestamp()))
        index = bisect_left(seconds, True, key=lambda s: self._offset(datetime.fromtimestamp(s, UTC)) == new_offset)
        return datetime.fromtimestamp(seconds.start + index, UTC)

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()


def local_zone() -> str:
    """The IANA name of this machine's time zone; UTC where nobody can tell."""
    import tzlocal  # 10 ms; seldom needed

    try:
        return tzlocal.get_localzone_name() or "UTC"
    except (LookupError, ValueError):  # TZ or /etc/localtime is something of its own
        return "UTC"


def _wall(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # OSError: "Europe" is a folder of the time zone database.
        near = difflib.get_close_matches(name, available_timezones(), n=1)
        hint = f"did you mean {near[0]}?" if near else "names are those of the IANA database, such as Europe/Berlin"
        raise UsageError(f"there is no time zone {name!r}", hint=hint) from error


def _fields(line: str) -> str:
    """The five fields that ``line`` means; raises UsageError, also for a line that never fires."""
    fields = _ALIASES.get(line.strip().lower(), line).split()
    hint = f"it takes five: {_FIELDS}; or one of {', '.join(_ALIASES)}"
    if len(fields) != len(_FIELDS.split()):
        raise UsageError(f"cron line {line!r} has {len(fields)} fields", hint=hint)
    try:
        next(CronSim(" ".join(fields), _ANY_DAY))
    except CronSimError as error:
        why = str(error)
        raise UsageError(f"cron line {line!r}: {why[:1].lower()}{why[1:]}", hint=_hint_of(why)) from error
    except StopIteration as error:
        raise UsageError(f"cron line {line!r} never fires", hint="its days are in none of its months") from error
    return " ".join(fields)


def _hint_of(why: str) -> str:
    never = "; a day that none of the months has never comes" if "day-of-month" in why else ""
    return f"the fields are: {_FIELDS}{never}"
