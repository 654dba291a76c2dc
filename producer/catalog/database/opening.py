"""Opens the database of a catalog: finds it by path or URL, connects to it with SQLAlchemy, and sets up SQLite.

Errors of the database become CatalogError here.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from sqlite3 import SQLITE_BUSY, OperationalError
from sqlite3 import Connection as SqliteConnection
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from producer.catalog.database.reading import connect_to_read
from producer.host.room import why_not_writable
from tasks.broker.connections import CONNECT_S, QUESTION_COUNT, QUESTION_EVERY_S, SILENCE_S, UNCONFIRMED_S
from tasks.errors import CatalogError, UsageError

#: How long a writer waits for another process's transaction: batches of receipts take milliseconds,
#: a plan of a million segments some ten seconds.
BUSY_TIMEOUT_S = 30

_LOOK_EVERY_S = 0.01

#: For columns of JSON, which may hold structs.
_to_json = partial(json.dumps, default=asdict)

#: Execution option of transactions that write: they take SQLite's write lock at once, because a
#: transaction that reads first and writes later fails without waiting when another has written meanwhile.
WRITING = {"segfleet_begin": "BEGIN IMMEDIATE"}

#: The same, and the commit survives a power cut, with all that was committed before.
WRITING_DURABLY = {**WRITING, "segfleet_synchronous": "FULL"}

#: Of all other transactions: docs/catalog.md says what a power cut costs them.
_SYNCHRONOUS = "NORMAL"

#: PostgreSQL's names for the limits of :mod:`tasks.broker.connections`; parameters of the URL come first.
_SERVER_LIMITS = {
    "connect_timeout": CONNECT_S,
    "keepalives": 1,
    "keepalives_idle": SILENCE_S,
    "keepalives_interval": QUESTION_EVERY_S,
    "keepalives_count": QUESTION_COUNT,
    "tcp_user_timeout": UNCONFIRMED_S * 1000,
}

# When Ctrl-C comes while SQLAlchemy closes a connection, it logs a traceback, which goes to standard error unless a
# handler takes it.  It raises the interrupt as well, and the command reports that.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())


def catalog_url(location: str | Path) -> URL:
    """``location`` as a URL: a path means SQLite; raises UsageError when it is neither path nor URL."""
    if isinstance(location, Path) or "://" not in location:
        return URL.create("sqlite", database=str(Path(location).absolute()))
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:
        # The text of the error holds the URL, and so perhaps a password.
        raise UsageError("the catalog's url does not parse", hint="write postgresql://user@host/database") from error
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    return url


def shown_url(url: URL) -> str:
    """``url`` for a person: the path of a SQLite catalog, else the URL without password and parameters."""
    if url.get_backend_name() == "sqlite":
        return url.database or ""
    return url.set(query={}).render_as_string(hide_password=True)


def open_engine(url: URL, *, read_only: str = "") -> Engine:
    """An engine for ``url``; makes the folder and the file of a SQLite catalog, readable by the owner alone.

    ``read_only``: why a SQLite catalog can only be read (:func:`why_read_only`).
    """
    if url.get_backend_name() == "sqlite":
        return _open_sqlite_to_read(url, read_only) if read_only else _open_sqlite(url)
    limits = {name: value for name, value in _SERVER_LIMITS.items() if name not in url.query}
    try:
        # A manager lives for weeks and the server may restart: test a connection before use.
        engine = create_engine(url, pool_pre_ping=True, connect_args=limits, json_serializer=_to_json)
    except NoSuchModuleError as error:
        hint = "write postgresql://user@host/database, or the path of a SQLite file"
        raise UsageError(f"no catalog can be at {shown_url(url)}: {error}", hint=hint) from error
    except ImportError as error:
        raise UsageError(
            f"no driver for the catalog {shown_url(url)}: {error}", hint="pip install 'segfleet[postgres]'"
        ) from error
    event.listen(engine, "do_connect", _connect_with_limit)
    event.listen(engine, "connect", _end_lost_sessions)
    return engine


def _connect_with_limit(_dialect: object, _record: object, arguments: list[Any], how: dict[str, Any]) -> Any:
    # Imported here: the driver is an extra.
    from producer.catalog.database.silent_server import LimitedConnection

    return LimitedConnection.open(*arguments, **how)


def _end_lost_sessions(connection: Any, _record: object) -> None:
    """Have the server end a session whose host is gone, or whose process stands still: it may hold rows."""
    settings = {
        # A host that is gone is noticed within a minute.
        "tcp_keepalives_idle": "30s",
        "tcp_keepalives_interval": "10s",
        "tcp_keepalives_count": "3",
        # The longest work between two statements is to compare two listings: seconds for a million files.
        "idle_in_transaction_session_timeout": "10min",
    }
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET {name} = '{value}'" for name, value in settings.items()))
    connection.commit()


def why_read_only(url: URL) -> str:
    """Why the catalog can only be read now; "" if it can be written."""
    if url.get_backend_name() != "sqlite":
        return ""
    path = Path(url.database or "")
    if not path.exists():
        return ""
    if not os.access(path, os.W_OK):
        return os.strerror(errno.EROFS if os.statvfs(path).f_flag & os.ST_RDONLY else errno.EACCES)
    return why_not_writable(path.parent)


def _open_sqlite_to_read(url: URL, why: str) -> Engine:
    path = Path(url.database or "")
    engine = create_engine(url, creator=lambda: connect_to_read(path, why), poolclass=StaticPool)
    event.listen(engine, "begin", _begin)
    return engine


def _open_sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The names of all files are in it.  SQLite gives its -wal and -shm files the same mode.
        path.touch(mode=0o600)
    except OSError as error:
        raise CatalogError(f"cannot make the catalog {path}: {error.strerror}", path=str(path)) from error
    # isolation_level None: the driver begins no transaction by itself, _begin does.
    engine = create_engine(
        url, connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S}, json_serializer=_to_json
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: SqliteConnection, _record: object) -> None:
    _use_wal(connection)
    # A power cut may take the last commits but never damages the file.  Storing is idempotent and
    # what is stored is found again, so a lost receipt costs one repeated order; FULL would cost a
    # sync of the disk for every batch.
    connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys = ON")


def _use_wal(connection: SqliteConnection) -> None:
    """WAL: readers continue while the manager writes.

    Unlike for a transaction, SQLite does not wait for another process that does the same to a new file at that moment.
    """
    deadline_s = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            if error.sqlite_errorcode != SQLITE_BUSY or time.monotonic() > deadline_s:
                raise
            time.sleep(_LOOK_EVERY_S)
        else:
            return


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    synchronous = options.get("segfleet_synchronous", _SYNCHRONOUS)
    if connection.info.get("synchronous", _SYNCHRONOUS) != synchronous:
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
        connection.info["synchronous"] = synchronous
    connection.exec_driver_sql(options.get("segfleet_begin", "BEGIN"))


@contextmanager
def catalog_errors(url: URL) -> Iterator[None]:
    """Turns the database's errors into CatalogError, with the place and without its password."""
    try:
        yield
    except DBAPIError as error:
        # The driver's own words: SQLAlchemy's text holds the statement and all its values.
        # On one line, as it is shown in tables.
        text = " ".join(str(error.orig).split()).replace(url.password or "\0", "***")
        raise CatalogError(f"catalog {shown_url(url)}: {text}", path=shown_url(url)) from error
    except SQLAlchemyError as error:
        raise CatalogError(f"catalog {shown_url(url)}: {type(error).__name__}", path=shown_url(url)) from error
