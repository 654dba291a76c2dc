"""Opens a SQLite catalog that cannot be written now: its folder is read-only, or its disk is full.

SQLite would write even to read: its index of the write-ahead log is a file beside the catalog.  On a full disk that
file may have holes, and writing to one of them through memory ends the process.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import tempfile
from pathlib import Path
from urllib.parse import quote

from tasks.errors import CatalogError


def connect_to_read(path: Path, why: str) -> sqlite3.Connection:
    """A connection that writes nothing beside ``path``; raises sqlite3.Error, and CatalogError with ``why``."""
    if not os.access(path, os.R_OK):
        raise CatalogError(
            f"the catalog {path} cannot be read by this user",
            hint=f"if it should be yours: sudo chown {os.geteuid()} {shlex.quote(str(path))}",
            path=str(path),
        )
    log, index = (path.with_name(path.name + suffix) for suffix in ("-wal", "-shm"))
    if not log.exists() or not log.stat().st_size:
        return _connect(path, "immutable=1")
    if index.exists():
        # Of a writer that lives, or was killed: SQLite takes it as it is, or makes one in memory.
        return _connect(path, "mode=ro&readonly_shm=1")
    return _connect_to_copy(path, log, why)


def _connect(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect_to_copy(path: Path, log: Path, why: str) -> sqlite3.Connection:
    """The log holds what the catalog does not, and without an index it can only be read where one can be made."""
    try:
        with tempfile.TemporaryDirectory(prefix="segfleet-catalog-") as folder:
            copy = Path(folder, path.name)
            for file in (path, log):
                shutil.copyfile(file, copy.with_name(file.name))
            connection = _connect(copy, "mode=rw")
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            # Now both files are open, and the index is in memory: none of them needs its name any more.
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            return connection
    except OSError as error:
        raise CatalogError(
            f"the catalog {path} cannot be written ({why}), nor copied for reading: {error.strerror}",
            hint="set TMPDIR to a folder with room for a copy of the catalog",
            path=str(path),
        ) from error
