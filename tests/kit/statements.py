"""One cache of compiled statements for all catalogs of a process.

SQLAlchemy compiles a statement once for each engine.  The program opens one catalog; tests open thousands, and would
compile the same statements as often, which is a quarter of the time of an in-process backup.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from producer.catalog.database import opening, revision

#: Options that the dialect does not know.
_OF_A_CONNECTION = ("connect_args", "creator", "poolclass")


def share_statements() -> None:
    """From now on the catalogs in SQLite files that this process opens share what SQLAlchemy has compiled.

    So do those that it makes: their tables are made by the statements that made those of the first.
    """
    vars(opening).update(create_engine=_create_engine)
    if not isinstance(revision._create, _Creation):
        vars(revision).update(_create=_Creation(revision._create))


@cache
def _first(options: tuple[tuple[str, Any], ...]) -> Engine:
    engine = sqlalchemy.create_engine("sqlite://", **dict(options))
    # A dialect knows what it is only once it has been connected.
    engine.connect().close()
    return engine


def _create_engine(url: Any, **options: Any) -> Engine:
    engine = sqlalchemy.create_engine(url, **options)
    if engine.dialect.name == "sqlite":
        first = _first(tuple((name, value) for name, value in options.items() if name not in _OF_A_CONNECTION))
        # The keys of the cache name the dialect.
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return engine


class _Creation:
    """Makes the tables of the first catalog as ``really`` does, and of each further one as that was made."""

    def __init__(self, really: Callable[[Connection], None]) -> None:
        self._really = really
        self._statements: list[tuple[str, Any]] = []

    def __call__(self, connection: Connection) -> None:
        if connection.dialect.name != "sqlite":
            self._really(connection)
        elif self._statements:
            for statement, parameters in self._statements:
                connection.exec_driver_sql(statement, parameters)
        else:
            self._statements = self._really_with_notes(connection)

    def _really_with_notes(self, connection: Connection) -> list[tuple[str, Any]]:
        made: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            made.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        try:
            self._really(connection)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        return made
