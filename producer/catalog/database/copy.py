"""A copy of a SQLite catalog as it is at one moment, while others write it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from producer.catalog.database.opening import catalog_url
from tasks.errors import CatalogError


def catalog_file(location: str | Path) -> Path | None:
    """The file of the catalog at ``location``; None where a server keeps it."""
    url = catalog_url(location)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def files_beside(catalog: Path) -> frozenset[Path]:
    """The files that SQLite may keep for this one, itself included."""
    return frozenset(catalog.with_name(catalog.name + suffix) for suffix in ("", "-wal", "-shm", "-journal"))


def copy_catalog(catalog: Path, copy: Path) -> None:
    """Make or replace ``copy``, readable by the owner alone; raises CatalogError."""
    try:
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(catalog)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            # Else anyone who opens the copy, even to read, must be able to write beside it.
            target.execute("PRAGMA journal_mode = DELETE")
    except (OSError, sqlite3.Error) as error:
        copy.unlink(missing_ok=True)
        raise CatalogError(f"cannot copy the catalog {catalog}: {error}", path=str(catalog)) from error
