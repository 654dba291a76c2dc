"""What the page knows, read again when it is too old: many readers cost no more than one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

from producer.catalog.catalog import Catalog
from producer.catalog.database.version import Version
from producer.monitor.expected import Expected
from producer.monitor.fleet import FleetStatus
from producer.monitor.page.history import Past
from producer.monitor.page.rates import Rates
from producer.monitor.page.remembered import RememberedPast
from producer.monitor.space.sums import NO_SUMS, Sums, sums
from producer.monitor.survey import Survey, judged_again, survey

Value = TypeVar("Value")

_SURVEY_S = 2.0
_FLEET_S = 10.0
#: Reading them visits every segment of the catalog.
_SUMS_S = 60.0


class _Kept(Generic[Value]):
    def __init__(self, read: Callable[[], Value], life_s: float) -> None:
        self._read, self._life_s = read, life_s
        self._value: Value | None = None
        self._until_s = 0.0

    def get(self) -> Value:
        if self._value is None or time.monotonic() >= self._until_s:
            self._value = self._read()
            self._until_s = time.monotonic() + self._life_s
        return self._value


class _KeptSums:
    """Sums of the catalog, read again when they are too old and something has been committed since."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._sums = NO_SUMS
        self._version: Version | None = None
        self._until_s = 0.0

    def get(self, version: Version) -> Sums:
        if self._version is None or (version != self._version and time.monotonic() >= self._until_s):
            self._sums, self._version = sums(self._catalog), version
            self._until_s = time.monotonic() + _SUMS_S
        return self._sums


class Looks:
    """Belongs to the thread that opened ``catalog``.  Every method raises CatalogError."""

    def __init__(
        self, catalog: Catalog, fleet: Callable[[], FleetStatus | None], expected: Expected | None = None
    ) -> None:
        self.catalog = catalog
        self._expected = expected
        self.rates = Rates()
        self._fleet = _Kept[tuple[FleetStatus | None]](lambda: (fleet(),), _FLEET_S)
        self._sums = _KeptSums(catalog)
        self._past = RememberedPast(catalog)
        self._survey = _Kept[Survey](self._look, _SURVEY_S)
        #: What the last look found, and the version of the catalog then.
        self._last: tuple[Version, Survey] | None = None

    def survey(self) -> Survey:
        return self._survey.get()

    def past(self) -> Past:
        """The last 30 days."""
        return self._past.look(datetime.now(UTC), self.survey().processes)

    def _look(self) -> Survey:
        fleet = self._fleet.get()[0]
        with self.catalog.reading():
            version = self.catalog.version()
            kept = self._sums.get(version)
            if self._last is not None and self._last[0] == version and not _is_at_work(self._last[1]):
                found = judged_again(self._last[1], fleet, expected=self._expected, kept=kept)
            else:
                found = survey(self.catalog, fleet, expected=self._expected, kept=kept)
        self._last = (version, found)
        self.rates.look(found.running, time.monotonic())
        return found


def _is_at_work(last: Survey) -> bool:
    """Whether the next survey may differ although nobody writes: a process that held a lock may have ended."""
    return bool(last.running or last.others)
