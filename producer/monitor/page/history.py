"""The last 30 days, by their runs: how each volume fared, what was stored, and when a device is full.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal

from msgspec import Struct, field

from producer.catalog.tables.runs import BriefRun
from producer.monitor.at_work import Process, outcome

DAYS_COUNT = 30

#: How the last backup of a day ended.
Mark = Literal["none", "done", "partial", "failed", "interrupted"]


class Day(Struct, kw_only=True):
    date: date
    #: By device, of the backups that began on the day.
    stored_bytes: dict[str, int] = field(default_factory=dict)
    minutes: float = 0.0

    @property
    def total_bytes(self) -> int:
        return sum(self.stored_bytes.values())


class Past(Struct, frozen=True, kw_only=True, eq=False):
    """All that the page shows of the last 30 days; equal only to itself, so that what is drawn of it can be kept."""

    #: The newest, newest first.
    runs: Sequence[BriefRun]
    days: Sequence[Day]
    strips: Mapping[str, tuple[Mark, ...]]
    #: The processes that are at work.
    processes: frozenset[Process]


class JudgedDay(Struct, frozen=True, kw_only=True):
    day: Day
    #: By volume.
    marks: Mapping[str, Mark]


def dates(now: datetime) -> list[date]:
    """The last 30 days on this machine's calendar, oldest first."""
    today = now.astimezone().date()
    return [today - timedelta(days=DAYS_COUNT - 1 - number) for number in range(DAYS_COUNT)]


def beginning_of(day: date) -> datetime:
    return datetime.combine(day, time.min).astimezone()


def day_of(run: BriefRun) -> date:
    return run.started_at.astimezone().date()


def judged(day: date, runs: Iterable[BriefRun], processes: frozenset[Process]) -> JudgedDay:
    """``runs``: all that began on the day; ``processes``: those at work now."""
    summed, marks = Day(date=day), dict[str, Mark]()
    stored_bytes = summed.stored_bytes
    for run in sorted(runs, key=lambda run: run.started_at):
        if run.kind != "backup":
            continue
        if (ended := outcome(run, processes)) != "running":
            marks[run.volume] = ended
        if run.ended_at is not None:
            # A clock may have been set back meanwhile.
            summed.minutes += max(0.0, (run.ended_at - run.started_at).total_seconds() / 60)
            for device, stored in run.figures.devices.items():
                stored_bytes[device] = stored_bytes.get(device, 0) + stored.bytes_stored
    return JudgedDay(day=summed, marks=marks)


def strips(days: Sequence[JudgedDay]) -> dict[str, tuple[Mark, ...]]:
    """Volume → a mark for each day."""
    volumes = {volume for day in days for volume in day.marks}
    return {volume: tuple(day.marks.get(volume, "none") for day in days) for volume in volumes}


def full_in_days(free_bytes: int, device: str, history: Sequence[Day]) -> int | None:
    """When the device is full at the pace of the history; None where nothing says so yet."""
    used = [number for number, day in enumerate(history) if day.total_bytes]
    if not used or len(history) - used[0] < 2:
        return None
    stored_bytes = sum(day.stored_bytes.get(device, 0) for day in history)
    return int(free_bytes * (len(history) - used[0]) / stored_bytes) if stored_bytes else None
