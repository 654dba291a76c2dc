"""A catalog that cannot be written is read as it is, with what is only in its log."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kit.program.nobody import as_nobody
from producer.catalog.catalog import Catalog
from producer.catalog.database import opening
from producer.catalog.database.reading import connect_to_read
from tasks.errors import CatalogError

#: Ends with its rows in the log alone.
_KILLED_WRITER = """
import os, signal, sqlite3, sys
catalog = sqlite3.connect(sys.argv[1], isolation_level=None)
catalog.execute("PRAGMA journal_mode = WAL")
catalog.execute("CREATE TABLE numbers (number)")
catalog.execute("INSERT INTO numbers VALUES (1), (2)")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    path = tmp_path / "c d?.sqlite"
    done = subprocess.run([sys.executable, "-c", _KILLED_WRITER, path], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def numbers_in(path: Path) -> list[tuple[int]]:
    connection = connect_to_read(path, "full")
    try:
        return connection.execute("SELECT number FROM numbers").fetchall()
    finally:
        connection.close()


def test_what_a_killed_writer_left_in_the_log_is_read_and_nothing_is_written(killed: Path) -> None:
    before = contents(killed.parent)
    assert numbers_in(killed) == [(1,), (2,)]
    assert contents(killed.parent) == before


def test_a_log_without_its_index_is_read_from_a_copy(killed: Path) -> None:
    killed.with_name(killed.name + "-shm").unlink()
    before = contents(killed.parent)
    assert numbers_in(killed) == [(1,), (2,)]
    assert contents(killed.parent) == before


def test_a_catalog_that_cannot_be_written_is_read_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    before = contents(tmp_path)
    monkeypatch.setattr(opening, "why_not_writable", lambda folder: "No space left on device")
    with Catalog(path) as catalog:
        assert catalog.why_read_only == "No space left on device"
        assert catalog.snapshots.all() == []
        with pytest.raises(CatalogError, match="cannot be written: No space left on device"), catalog.transaction():
            pass
    assert contents(tmp_path) == before


def test_a_catalog_of_another_user_is_named_with_the_cure(tmp_path: Path) -> None:
    Catalog(tmp_path / "catalog.sqlite").close()
    (tmp_path / "catalog.sqlite").chmod(0)

    def open_it(folder: Path) -> None:
        with pytest.raises(CatalogError, match="cannot be read by this user") as caught:
            Catalog(folder / "catalog.sqlite")
        assert "sudo chown" in caught.value.hint

    as_nobody(tmp_path, open_it)
