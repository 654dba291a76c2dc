"""Reservations whose time has come: no test waits for New Year, or for the minute of another try."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select, update

from producer.catalog.database.opening import catalog_url, open_engine
from producer.catalog.schema import reservations

NEW_YEAR = ("--cron", "0 2 1 1 *", "--tz", "UTC")


def make_due(location: str | Path, ago: timedelta = timedelta(seconds=5)) -> None:
    """Moves the due time of all reservations in the catalog at a path or URL."""
    engine = open_engine(catalog_url(location))
    with engine.begin() as connection:
        assert connection.execute(update(reservations).values(next_due=datetime.now(UTC) - ago)).rowcount
    engine.dispose()


def hasten_retries(location: str | Path) -> None:
    """Moves the due time of reservations that are tried again soon to now."""
    now, engine = datetime.now(UTC), open_engine(catalog_url(location))
    is_soon = reservations.c.next_due.between(now, now + timedelta(hours=1))
    with engine.begin() as connection:
        connection.execute(update(reservations).where(is_soon).values(next_due=now))
    engine.dispose()


def outcomes(location: str | Path) -> dict[str, str | None]:
    """Volume → how the last run of its reservation ended."""
    engine = open_engine(catalog_url(location))
    with engine.connect() as connection:
        found = connection.execute(select(reservations.c.volume, reservations.c.last_outcome))
        by_volume = {row.volume: row.last_outcome for row in found}
    engine.dispose()
    return by_volume
