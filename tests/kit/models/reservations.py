"""Reservations whose time has come: no test waits for New Year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from producer.catalog.opening import catalog_url, open_engine
from producer.catalog.schema import reservations

NEW_YEAR = ("--cron", "0 2 1 1 *", "--tz", "UTC")


def make_due(location: str | Path, ago: timedelta = timedelta(seconds=5)) -> None:
    """Moves the due time of all reservations in the catalog at a path or URL."""
    engine = open_engine(catalog_url(location))
    with engine.begin() as connection:
        assert connection.execute(update(reservations).values(next_due=datetime.now(UTC) - ago)).rowcount
    engine.dispose()
