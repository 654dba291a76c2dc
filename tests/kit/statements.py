"""One cache of compiled statements for all catalogs of a process.

SQLAlchemy compiles a statement once for each engine.  The program opens one catalog; tests open thousands, and would
compile the same statements as often, which is a quarter of the time of an in-process backup.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy
from sqlalchemy.engine import Engine

from producer.catalog.database import opening

#: Options that the dialect does not know.
_OF_A_CONNECTION = ("connect_args", "creator", "poolclass")


def share_statements() -> None:
    """From now on the catalogs in SQLite files that this process opens share what SQLAlchemy has compiled."""
    vars(opening).update(create_engine=_create_engine)


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
