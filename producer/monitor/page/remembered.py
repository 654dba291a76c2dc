"""The last 30 days, kept from look to look: a look reads only the runs that have changed since the one before."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from producer.catalog.catalog import Catalog
from producer.catalog.database.version import Version
from producer.catalog.tables.runs import BriefRun
from producer.monitor.at_work import CLOCKS_DIFFER, Process
from producer.monitor.page.history import JudgedDay, Past, beginning_of, dates, day_of, judged, strips

_LAST_RUNS_COUNT = 50


class RememberedPast:
    """Belongs to the thread of ``catalog``."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._runs = catalog.runs
        self._version: Version | None = None
        self._processes: frozenset[Process] = frozenset()
        self._forget()

    def _forget(self) -> None:
        self._by_day: dict[date, dict[str, BriefRun]] = {}
        self._days_of_runs: dict[str, date] = {}
        self._judged: dict[date, JudgedDay] = {}
        self._looked_at: datetime | None = None
        self._past: Past | None = None

    def look(self, now: datetime, processes: frozenset[Process] = frozenset()) -> Past:
        """The 30 days that end with today; the same object as at the last look when nothing has changed.

        ``processes``: those at work.
        """
        shown = dates(now)
        if processes != self._processes:
            self._processes = processes
            self._judge_unfinished_again()
        with self._catalog.reading():
            version = self._catalog.version()
            if self._past is None or version != self._version or shown[-1] != self._past.days[-1].date:
                self._past = self._look_again(shown, now)
                self._version = version
        return self._past

    def _look_again(self, shown: list[date], now: datetime) -> Past:
        self._read(shown, now)
        if not self._drop_trimmed(shown):
            self._forget()
            self._read(shown, now)
        # Of few runs, the last may be older than those that are known.
        are_few = len(self._days_of_runs) < _LAST_RUNS_COUNT
        if self._past is None or are_few or shown[-1] != self._past.days[-1].date:
            return self._put_together(shown)
        return self._past

    def _read(self, shown: list[date], now: datetime) -> None:
        for day in [day for day in self._by_day if day < shown[0]]:
            for run_id in list(self._by_day.pop(day)):
                del self._days_of_runs[run_id]
        since = beginning_of(shown[0]) if self._looked_at is None else self._looked_at - CLOCKS_DIFFER
        for run in self._runs.changed_since(since):
            # Perhaps tomorrow's, by the clock of another host.
            if day_of(run) >= shown[0]:
                self._take(run)
        self._looked_at = now

    def _take(self, run: BriefRun) -> None:
        day = day_of(run)
        if self._by_day.get(day, {}).get(run.run_id) == run:
            return
        # One that was interrupted may have begun again, on another day.
        self._drop(run.run_id)
        self._by_day.setdefault(day, {})[run.run_id] = run
        self._days_of_runs[run.run_id] = day
        self._changed(day)

    def _drop(self, run_id: str) -> None:
        day = self._days_of_runs.pop(run_id, None)
        if day is not None:
            del self._by_day[day][run_id]
            self._changed(day)

    def _changed(self, day: date) -> None:
        self._judged.pop(day, None)
        self._past = None

    def _judge_unfinished_again(self) -> None:
        for day, runs in self._by_day.items():
            if any(run.exit_code is None for run in runs.values()):
                self._judged.pop(day, None)
        # Of the runs that are listed, some may be older than these days.
        self._past = None

    def _drop_trimmed(self, shown: list[date]) -> bool:
        """Forget what the history has no more; False when it has what was never seen."""
        count = self._runs.count_since(beginning_of(shown[0]))
        for day in sorted(self._by_day):
            if len(self._days_of_runs) == count:
                break
            # The oldest go first.
            known = self._runs.ids_between(beginning_of(day), beginning_of(day + timedelta(days=1)))
            for run_id in self._by_day[day].keys() - known:
                self._drop(run_id)
        return len(self._days_of_runs) == count

    def _put_together(self, shown: list[date]) -> Past:
        for day in shown:
            if day not in self._judged:
                self._judged[day] = judged(day, self._by_day.get(day, {}).values(), self._processes)
        days = [self._judged[day] for day in shown]
        return Past(
            runs=self._runs.last(_LAST_RUNS_COUNT),
            days=[one.day for one in days],
            strips=strips(days),
            processes=self._processes,
        )
