"""What the page knows, read again when it is too old: many readers cost no more than one."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Generic, TypeVar

from producer.catalog.catalog import Catalog
from producer.monitor.expected import Expected
from producer.monitor.fleet import FleetStatus
from producer.monitor.page.history import Past
from producer.monitor.page.rates import Rates
from producer.monitor.page.remembered import RememberedPast
from producer.monitor.space.sums import Sums, sums
from producer.monitor.survey import Survey, survey

Value = TypeVar("Value")

_SURVEY_S = 2.0
_FLEET_S = 10.0
#: It reads every segment of the catalog.
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


class Looks:
    """Belongs to the thread that opened ``catalog``.  Every method raises CatalogError."""

    def __init__(
        self, catalog: Catalog, fleet: Callable[[], FleetStatus | None], expected: Expected | None = None
    ) -> None:
        self.catalog = catalog
        self._expected = expected
        self.rates = Rates()
        self._fleet = _Kept[tuple[FleetStatus | None]](lambda: (fleet(),), _FLEET_S)
        self._sums = _Kept[Sums](lambda: sums(catalog), _SUMS_S)
        self._past = RememberedPast(catalog.runs)
        self._survey = _Kept[Survey](self._look, _SURVEY_S)

    def survey(self) -> Survey:
        return self._survey.get()

    def past(self) -> Past:
        """The last 30 days."""
        return self._past.look(datetime.now(UTC))

    def _look(self) -> Survey:
        found = survey(self.catalog, self._fleet.get()[0], expected=self._expected, kept=self._sums.get())
        self.rates.look(found.running, time.monotonic())
        return found
