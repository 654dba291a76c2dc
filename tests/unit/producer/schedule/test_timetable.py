from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from producer.schedule.timetable import Timetable
from tasks.errors import UsageError

BERLIN = "Europe/Berlin"
#: 02:00 becomes 03:00 on 29 March 2026 at 01:00 UTC; 03:00 becomes 02:00 on 25 October at 01:00 UTC.
SPRING, AUTUMN = "2026-03-28T22:50", "2026-10-24T21:50"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def firings(cron: str, zone: str, after: str, count: int) -> list[str]:
    timetable, moment, found = Timetable(cron, zone), at(after), []
    for _ in range(count):
        moment = timetable.next_after(moment)
        assert moment.tzinfo is UTC
        found.append(f"{moment:%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "after", "expected"),
    [
        # On ordinary days.
        ("0 2 * * *", "UTC", "2026-01-31T01:59", ["31 02:00", "01 02:00"]),
        ("0 2 * * *", "UTC", "2026-01-31T02:00", ["01 02:00", "02 02:00"]),
        ("*/20 8-9 * * mon-fri", "UTC", "2026-01-02T09:30", ["02 09:40", "05 08:00"]),
        ("0 0 31 * *", "UTC", "2026-01-31T00:00", ["31 00:00", "31 00:00"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["29 00:00"]),
        # As cron has it: 7 is Sunday, and of a day of month and a day of week one is enough.
        ("0 0 * * 7", "UTC", "2026-01-01T00:00", ["04 00:00", "11 00:00"]),
        ("0 0 13 * fri", "UTC", "2026-01-01T00:00", ["02 00:00", "09 00:00", "13 00:00", "16 00:00"]),
        ("0 0 L * *", "UTC", "2026-02-01T00:00", ["28 00:00", "31 00:00"]),
        ("0 0 * * fri#2", "UTC", "2026-01-01T00:00", ["09 00:00", "13 00:00"]),
        ("@daily", "UTC", "2026-01-01T00:00", ["02 00:00", "03 00:00"]),
        (" @Weekly ", "UTC", "2026-01-01T00:00", ["04 00:00", "11 00:00"]),
        ("0 12 1 1 *", BERLIN, "2026-01-01T11:00", ["01 11:00"]),
        # A time that the change leaves out is the moment of the change, once.
        ("0 2 * * *", BERLIN, SPRING, ["29 01:00", "30 00:00"]),
        ("30 2 * * *", BERLIN, SPRING, ["29 01:00", "30 00:30"]),
        ("*/20 2,3 * * *", BERLIN, SPRING, ["29 01:00", "29 01:20", "29 01:40", "30 00:00"]),
        ("0 3 * * *", BERLIN, SPRING, ["29 01:00", "30 01:00"]),
        ("30 1 * * *", BERLIN, SPRING, ["29 00:30", "29 23:30"]),
        # A time that comes twice is the first of the two.
        ("0 2 * * *", BERLIN, AUTUMN, ["25 00:00", "26 01:00"]),
        ("30 2 * * *", BERLIN, AUTUMN, ["25 00:30", "26 01:30"]),
        ("30 2 * * *", BERLIN, "2026-10-25T01:10", ["26 01:30"]),
        ("*/20 2,3 * * *", BERLIN, AUTUMN, ["25 00:00", "25 00:20", "25 00:40", "25 02:00"]),
        ("0 3 * * *", BERLIN, AUTUMN, ["25 02:00", "26 02:00"]),
        # A line of every hour goes by elapsed time.
        ("0 * * * *", BERLIN, SPRING, ["28 23:00", "29 00:00", "29 01:00", "29 02:00"]),
        ("0 * * * *", BERLIN, AUTUMN, ["24 22:00", "24 23:00", "25 00:00", "25 01:00", "25 02:00"]),
        ("*/30 * * * *", BERLIN, "2026-10-24T23:50", ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00"]),
        ("30 * * * sun", BERLIN, "2026-10-25T00:50", ["25 01:30", "25 02:30"]),
        # Half an hour, the other way round; and midnight itself.
        ("15 * * * *", "Australia/Lord_Howe", "2026-04-04T12:50", ["04 13:15", "04 14:15", "04 15:45"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["03 15:30", "04 15:15"]),
        ("0 0 * * *", "America/Havana", "2026-03-07T06:00", ["08 05:00", "09 04:00"]),
    ],
)
def test_a_line_fires_at_these_moments(cron: str, zone: str, after: str, expected: list[str]) -> None:
    assert firings(cron, zone, after, len(expected)) == expected


@pytest.mark.parametrize("zone", [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
@pytest.mark.parametrize("cron", ["0 2 * * *", "30 2 * * *", "59 1 * * *", "15 3 * * *"])
def test_a_daily_line_fires_once_on_every_day_of_a_year(cron: str, zone: str) -> None:
    timetable = Timetable(cron, zone)
    moment = timetable.next_after(at("2026-01-01T12:00"))
    days = [moment.astimezone(ZoneInfo(zone)).date()]
    for _ in range(365):
        moment = timetable.next_after(moment)
        days.append(moment.astimezone(ZoneInfo(zone)).date())
    assert days == [days[0] + timedelta(days=number) for number in range(366)]


def test_an_hourly_line_fires_8760_times_a_year() -> None:
    timetable, moment = Timetable("0 * * * *", BERLIN), at("2026-01-01T00:00")
    for _ in range(8760):
        following = timetable.next_after(moment)
        assert following - moment == timedelta(hours=1)
        moment = following


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 2 30 2 *", "bad day-of-month"),
        ("0 0 31 4,6 *", "bad day-of-month"),
        ("", "has 0 fields"),
        ("0 2 * *", "has 4 fields"),
        ("0 2 * * * root", "has 6 fields"),
        ("@reboot", "has 1 fields"),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 0 1 *", "bad day-of-month"),
        ("-1 * * * *", "bad minute"),
        ("*/0 * * * *", "bad minute"),
        ("x * * * *", "bad minute"),
        ("* * * * funday", "bad day-of-week"),
        (", * * * *", "bad minute"),
    ],
)
def test_a_line_that_makes_no_sense_or_never_fires_is_refused(cron: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        Timetable(cron, "UTC")
    assert repr(cron) in caught.value.message


def test_blanks_between_the_fields_may_be_many() -> None:
    assert Timetable(" 0  2\t* * * ", "UTC").next_after(at("2026-01-01T00:00")) == at("2026-01-01T02:00")


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("Europe", "Europe"),
        ("", "IANA"),
        ("../etc/passwd", "IANA"),
        ("a\0b", "IANA"),
    ],
)
def test_a_time_zone_that_does_not_exist_is_refused_with_the_nearest_name(zone: str, hint: str) -> None:
    with pytest.raises(UsageError, match="there is no time zone") as caught:
        Timetable("0 2 * * *", zone)
    assert hint in caught.value.hint
