"""Connections to PostgreSQL that do not wait for ever for a server that stands still.

Its kernel still confirms what arrives, so the limits of :mod:`tasks.broker.connections` do not notice.  A statement may
take long, though: so before a run gives up, it asks on a new connection whether anybody answers at all.

Imported only where a catalog is on PostgreSQL: the driver is an extra.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import psycopg

#: A database that is moved to another host, or whose disk hangs, stands still for a minute and comes back.
LIMIT_S = 120.0
LIMIT_VARIABLE = "SEGFLEET_CATALOG_LIMIT_S"


class LimitedConnection(psycopg.Connection[Any]):
    """Raises psycopg.OperationalError, and is closed, when the server stands still for longer than the limit."""

    _how: dict[str, Any]

    @classmethod
    def open(cls, *arguments: Any, **how: Any) -> LimitedConnection:
        """As :meth:`psycopg.Connection.connect`."""
        made = cls.connect(*arguments, **how)
        made._how = how
        return made

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        return super().wait(self._limited(gen), *arguments, **options)

    def _limited(self, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        limit_s = _limit_s()
        deadline_s = time.monotonic() + limit_s
        try:
            wanted = next(waiting)
            while True:
                ready = yield wanted
                # The driver reports several times a second that there is nothing yet.
                if not ready and time.monotonic() > deadline_s:
                    self._refuse_if_silent(limit_s)
                    deadline_s = time.monotonic() + limit_s
                wanted = waiting.send(ready)
        except StopIteration as done:
            return done.value

    def _refuse_if_silent(self, limit_s: float) -> None:
        try:
            psycopg.connect(**self._how).close()
        except psycopg.errors.ConnectionTimeout:
            # Nothing on it can be trusted any more, be it that the answer comes yet.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server has not answered for {limit_s:.0f} s") from None
        except psycopg.Error:
            # It answers, even if it refuses.
            return


def _limit_s() -> float:
    with suppress(ValueError):
        return max(0.1, float(os.environ.get(LIMIT_VARIABLE, "")))
    return LIMIT_S
