"""The last 30 days, by their runs: how each volume fared, what was stored, and when a device is full.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from producer.catalog.tables.runs import RunRow

DAYS_COUNT = 30
_RUNS_COUNT = 50

#: How the last backup of a day ended.
Mark = Literal["none", "done", "partial", "failed", "interrupted"]
_MARKS: dict[int, Mark] = {0: "done", 3: "partial", 130: "interrupted"}


@dataclass(kw_only=True, slots=True)
class Day:
    date: date
    #: By device, of the backups that began on the day.
    stored_bytes: dict[str, int] = field(default_factory=dict)
    minutes: float = 0.0

    @property
    def total_bytes(self) -> int:
        return sum(self.stored_bytes.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """All that the page shows of the last 30 days."""

    #: The newest, newest first.
    runs: Sequence[RunRow]
    days: Sequence[Day]
    strips: Mapping[str, Sequence[Mark]]


def past(runs: Sequence[RunRow], now: datetime) -> Past:
    """``runs``: of the last 30 days, newest first."""
    return Past(runs=runs[:_RUNS_COUNT], days=days(runs, now), strips=strips(runs, now))


def first_moment(now: datetime) -> datetime:
    """Runs from here on are enough for all that this module computes."""
    return now - timedelta(days=DAYS_COUNT)


def dates(now: datetime) -> list[date]:
    """The last 30 days on this machine's calendar, oldest first."""
    today = now.astimezone().date()
    return [today - timedelta(days=DAYS_COUNT - 1 - number) for number in range(DAYS_COUNT)]


def strips(runs: Iterable[RunRow], now: datetime) -> dict[str, list[Mark]]:
    """Volume → a mark for each day, oldest first.  ``runs``: newest first."""
    place = {day: number for number, day in enumerate(dates(now))}
    found: dict[str, list[Mark]] = {}
    for run in runs:
        number = place.get(run.started_at.astimezone().date())
        if run.kind != "backup" or run.exit_code is None or number is None:
            continue
        marks = found.setdefault(run.volume, ["none"] * DAYS_COUNT)
        if marks[number] == "none":
            marks[number] = _MARKS.get(run.exit_code, "failed")
    return found


def days(runs: Iterable[RunRow], now: datetime) -> list[Day]:
    """What the backups of each day stored, and how long they took, oldest first."""
    found = {day: Day(date=day) for day in dates(now)}
    for run in runs:
        day = found.get(run.started_at.astimezone().date())
        if run.kind != "backup" or day is None or run.ended_at is None:
            continue
        # A clock may have been set back meanwhile.
        day.minutes += max(0.0, (run.ended_at - run.started_at).total_seconds() / 60)
        for device, stored_bytes in stored_by_device(run).items():
            day.stored_bytes[device] = day.stored_bytes.get(device, 0) + stored_bytes
    return list(found.values())


def stored_by_device(run: RunRow) -> dict[str, int]:
    """What a backup has stored on each device; nothing for one that failed."""
    devices = (run.summary or {}).get("devices")
    if not isinstance(devices, dict):
        return {}
    totals = {name: device.get("bytes_stored") for name, device in devices.items() if isinstance(device, dict)}
    return {name: stored for name, stored in totals.items() if isinstance(stored, int)}


def full_in_days(free_bytes: int, device: str, history: Sequence[Day]) -> int | None:
    """When the device is full at the pace of the history; None where nothing says so yet."""
    used = [number for number, day in enumerate(history) if day.total_bytes]
    if not used or len(history) - used[0] < 2:
        return None
    stored_bytes = sum(day.stored_bytes.get(device, 0) for day in history)
    return int(free_bytes * (len(history) - used[0]) / stored_bytes) if stored_bytes else None
