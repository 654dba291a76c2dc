"""Tells whether anything has been committed since an earlier look, for what a look costs that reads no table."""

from __future__ import annotations

from sqlalchemy import Connection

#: Compared with another of the same catalog object, and no more.
Version = tuple[object, ...]


def version_of(connection: Connection) -> Version:
    """Equal to an earlier one only if ``connection`` would read the same rows as then."""
    if connection.dialect.name == "sqlite":
        # The number belongs to the connection: another one may have the same number for other rows.
        mark = connection.info.setdefault("segfleet_mark", object())
        return mark, connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    # Which transactions have ended, of all in the server.
    return (connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one(),)
