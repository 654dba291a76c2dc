"""The timetable against the plain definition: look at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from producer.schedule.timetable import Timetable

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Australia/Lord_Howe"])
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
MINUTE = timedelta(minutes=1)


def numbers(first: int, last: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(first, last), min_size=1, max_size=4, unique=True).map(sorted)


@given(zone=ZONES, moment=MOMENTS, minutes=numbers(0, 59), weekdays=numbers(0, 6))
@settings(max_examples=150, deadline=None)
def test_a_line_of_every_hour_fires_in_every_minute_that_the_clock_shows(
    zone: str, moment: datetime, minutes: list[int], weekdays: list[int]
) -> None:
    cron = f"{','.join(map(str, minutes))} * * * {','.join(map(str, weekdays))}"
    due = Timetable(cron, zone).next_after(moment)

    looked_at = moment.replace(second=0, microsecond=0) + MINUTE
    while not fits(looked_at, zone, minutes, weekdays):
        looked_at += MINUTE
    assert due == looked_at


def fits(moment: datetime, zone: str, minutes: list[int], weekdays: list[int]) -> bool:
    local = moment.astimezone(ZoneInfo(zone))
    return local.minute in minutes and local.isoweekday() % 7 in weekdays


@given(zone=ZONES, moment=MOMENTS, minutes=numbers(0, 59), hours=numbers(0, 23))
@settings(max_examples=300, deadline=None)
def test_a_line_of_some_hours_fires_at_the_first_moment_that_one_of_its_times_means(
    zone: str, moment: datetime, minutes: list[int], hours: list[int]
) -> None:
    cron = f"{','.join(map(str, minutes))} {','.join(map(str, hours))} * * *"
    due = Timetable(cron, zone).next_after(moment)

    day = moment.astimezone(ZoneInfo(zone)).date()
    times = [
        datetime(each.year, each.month, each.day, hour, minute)
        for each in (day + timedelta(days=number) for number in range(-1, 3))
        for hour in hours
        for minute in minutes
    ]
    assert due == min(meant for wall in times if (meant := meaning(wall, zone)) > moment)


def meaning(wall: datetime, zone: str) -> datetime:
    """The first moment at which the clock shows ``wall`` or, where it is left out, more."""
    looked_at = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    # By hours first, while the clock is far behind.
    while shown(looked_at + timedelta(hours=2), zone) < wall:
        looked_at += timedelta(hours=1)
    while shown(looked_at, zone) < wall:
        looked_at += MINUTE
    return looked_at


def shown(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
