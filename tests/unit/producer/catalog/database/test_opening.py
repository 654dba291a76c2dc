from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, TextClause, inspect, text
from sqlalchemy.exc import OperationalError

from producer.catalog.catalog import Catalog
from producer.catalog.database.opening import catalog_errors, open_engine
from producer.catalog.database.opening import catalog_url as parse_url
from producer.catalog.database.silent_server import LimitedConnection
from producer.catalog.migrations import upgrade
from producer.catalog.schema import SCHEMA_REVISION, metadata
from producer.catalog.tables.segments.rows import NewSegment
from tasks.errors import CatalogError, UsageError

DEADLINE_S = 60


def structure(connection: Connection) -> dict[str, object]:
    """Everything that the database tells of its tables, in comparable form."""
    found = inspect(connection)

    def by_name(rows: object) -> list[str]:
        return sorted(repr(_with_plain_text(row)) for row in rows)  # type: ignore[attr-defined]

    return {
        table: [
            [
                (column["name"], str(column["type"]), column["nullable"], column["default"])
                for column in found.get_columns(table)
            ],
            found.get_pk_constraint(table),
            by_name(found.get_foreign_keys(table)),
            by_name(found.get_indexes(table)),
            by_name(found.get_unique_constraints(table)),
            by_name(found.get_check_constraints(table)),
        ]
        for table in found.get_table_names()
    }


def _with_plain_text(row: object) -> object:
    """The condition of an index as its text: the object that holds it differs each time."""
    if isinstance(row, dict):
        return {key: _with_plain_text(value) for key, value in row.items()}
    return str(row) if isinstance(row, TextClause) else row


def engine_of(url: str) -> Engine:
    return open_engine(parse_url(url))


def set_revision(url: str, revision: str) -> None:
    with engine_of(url).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def test_the_migrations_and_the_tables_give_the_same_schema(catalog_url: str) -> None:
    with engine_of(catalog_url).connect() as connection:
        upgrade.to_head(connection)
        migrated = structure(connection)
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
        connection.rollback()  # the database is empty again
    Catalog(catalog_url).close()
    with engine_of(catalog_url).connect() as connection:
        created = structure(connection)

    assert differences == []
    assert created == migrated


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(upgrade.config()).get_current_head() == SCHEMA_REVISION


def test_a_catalog_made_by_migrations_opens_like_one_that_was_created(catalog_url: str) -> None:
    with engine_of(catalog_url).begin() as connection:
        upgrade.to_head(connection)
    with Catalog(catalog_url) as catalog:
        assert catalog.snapshots.all() == []


def test_a_catalog_of_a_newer_release_is_refused_and_left_alone(catalog_url: str) -> None:
    Catalog(catalog_url).close()
    set_revision(catalog_url, "9999")

    with pytest.raises(CatalogError, match=r"newer segfleet.*9999"):
        Catalog(catalog_url)
    set_revision(catalog_url, SCHEMA_REVISION)
    Catalog(catalog_url).close()


def test_neither_creating_nor_opening_a_catalog_imports_alembic(catalog_url: str) -> None:
    code = (
        "import sys; from producer.catalog.catalog import Catalog\n"
        "Catalog(sys.argv[1]).close(); Catalog(sys.argv[1]).snapshots.all(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, catalog_url], capture_output=True, text=True, timeout=DEADLINE_S, check=True
    )
    assert done.stdout.strip() == "False"


def test_processes_that_open_a_fresh_catalog_at_once_all_succeed(catalog_url: str) -> None:
    code = (
        "import sys; from producer.catalog.catalog import Catalog\n"
        "sys.stdin.read(); Catalog(sys.argv[1]).close()"  # all wait for the same end of file
    )
    end, start = os.pipe()
    running = [
        subprocess.Popen([sys.executable, "-c", code, catalog_url], stdin=end, stderr=subprocess.PIPE) for _ in range(4)
    ]
    os.close(end)
    os.close(start)
    errors = [process.communicate(timeout=DEADLINE_S)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], errors


def test_a_new_catalog_that_others_open_at_this_moment_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    # What keeps a process from turning on the write-ahead log is a reader, too: SQLite does not wait for that.
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE something (x)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM something").fetchall()
        opening = threading.Thread(target=lambda: Catalog(path).close())
        opening.start()
        opening.join(0.2)
        assert opening.is_alive()
        other.execute("COMMIT")
        opening.join(DEADLINE_S)
        assert not opening.is_alive()
    with closing(sqlite3.connect(path)) as later:
        assert later.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_catalog_is_given_by_path_or_by_url(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "50%.sqlite"
    Catalog(path).close()
    assert path.exists()
    Catalog(str(path)).close()


def test_nobody_else_can_read_the_catalog(tmp_path: Path) -> None:
    with Catalog(tmp_path / "state" / "catalog.sqlite") as catalog:
        catalog.snapshots.all()
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "state").iterdir()}
    assert modes["catalog.sqlite"] == 0o600
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_file_that_is_no_catalog_is_named(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(CatalogError, match="not a database") as caught:
        Catalog(path)
    assert caught.value.path == str(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CatalogError, match="file/catalog"):
        Catalog(tmp_path / "file" / "catalog.sqlite")


@pytest.mark.parametrize(
    "url",
    [
        "nosuchdatabase://operator:hunter2@host/segfleet",
        "nosuchdatabase://operator@host/segfleet?password=hunter2",
        "postgresql://operator:hunter2@host:port/segfleet",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Catalog(url)
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_an_error_of_the_database_is_told_without_the_password_of_its_url(tmp_path: Path) -> None:
    url = parse_url("postgresql://operator:hunter2@host/segfleet")
    engine = engine_of(f"sqlite:///{tmp_path}/any.sqlite")
    with pytest.raises(CatalogError) as caught, catalog_errors(url), engine.begin() as connection:
        connection.execute(text("SELECT 'hunter2' FROM hunter2"))
    assert "hunter2" not in caught.value.message
    assert "postgresql+psycopg://operator:***@host/segfleet" in caught.value.message


def test_an_error_of_the_database_is_on_one_line() -> None:
    with pytest.raises(CatalogError) as caught, catalog_errors(parse_url("postgresql://host/segfleet")):
        raise OperationalError("SELECT 1", {}, OSError("connection refused\n\tIs the server running?\n"))
    assert caught.value.message.endswith("connection refused Is the server running?")


def test_an_error_inside_a_transaction_undoes_all_of_it(catalog: Catalog, begin_snapshot: Callable[..., str]) -> None:
    with pytest.raises(RuntimeError), catalog.transaction():
        begin_snapshot("c" * 32)
        catalog.segments.add("c" * 32, [NewSegment(0, "d" * 32, "a", 0, 1, 0, 1)])
        with catalog.transaction():
            catalog.transitions.mark_fed("c" * 32, [0], "a", 1)
        raise RuntimeError

    assert catalog.snapshots.all("open") == []
    with pytest.raises(CatalogError, match="not in the catalog"):
        catalog.totals.by_state("c" * 32)


def fed_count(catalog: Catalog, snapshot: str) -> int:
    return sum(row.state == "fed" for row in catalog.segments.valid(snapshot))


def test_a_reader_sees_only_what_is_committed_and_never_waits_for_the_writer(
    catalog: Catalog, catalog_url: str, planned: str
) -> None:
    with Catalog(catalog_url) as reader:
        with catalog.transaction():
            catalog.transitions.mark_fed(planned, [0, 1, 2], "a", 1)
            assert fed_count(reader, planned) == 0
            assert fed_count(catalog, planned) == 3
        assert fed_count(reader, planned) == 3


def test_a_second_writer_waits_until_the_first_has_committed(catalog: Catalog, catalog_url: str, planned: str) -> None:
    counted: list[bool] = []
    about_to_write = threading.Event()

    def record() -> None:
        with Catalog(catalog_url) as other:
            about_to_write.set()
            counted.append(
                other.transitions.record_stored(
                    planned,
                    0,
                    device="b",
                    device_id="b" * 32,
                    epoch=1,
                    bytes_stored=1,
                    object_id=uuid4().hex,
                    trailer_digest=b"t" * 32,
                )
            )

    second = threading.Thread(target=record)
    with catalog.transaction():
        assert catalog.transitions.record_stored(
            planned,
            0,
            device="a",
            device_id="a" * 32,
            epoch=1,
            bytes_stored=1,
            object_id=uuid4().hex,
            trailer_digest=b"t" * 32,
        )
        second.start()
        assert about_to_write.wait(DEADLINE_S)
    second.join(DEADLINE_S)

    assert counted == [False]
    assert [row.device for row in catalog.segments.stored(planned)] == ["a"]


def test_ctrl_c_while_a_connection_is_closed_is_told_by_the_command_alone(tmp_path: Path) -> None:
    program = f"""
from sqlalchemy.engine.default import DefaultDialect
from producer.catalog.catalog import Catalog

def interrupted(dialect, connection):
    raise KeyboardInterrupt

catalog = Catalog({str(tmp_path / "catalog.sqlite")!r})
DefaultDialect.do_close = interrupted
try:
    catalog.close()
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_every_wait_for_a_database_server_has_a_limit_that_the_url_may_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: dict[str, object] = {}

    def stop(**parameters: object) -> None:
        seen.update(parameters)
        raise OSError("far enough")

    monkeypatch.setattr(LimitedConnection, "open", stop)
    engine = open_engine(parse_url("postgresql://me@nowhere.invalid/db?connect_timeout=60"))
    with pytest.raises(OSError, match="far enough"):
        engine.connect()
    assert seen["connect_timeout"] == "60"
    assert seen["tcp_user_timeout"] == 7_000
    assert {seen["keepalives"], seen["keepalives_count"]} == {1, 2}


def test_a_catalog_whose_file_was_deleted_or_replaced_takes_no_more_writes(tmp_path: Path) -> None:
    with Catalog(tmp_path / "catalog.sqlite") as catalog:
        (tmp_path / "catalog.sqlite").rename(tmp_path / "away")
        with pytest.raises(CatalogError, match="was deleted or replaced"), catalog.transaction():
            pass
        shutil.copy(tmp_path / "away", tmp_path / "catalog.sqlite")
        with pytest.raises(CatalogError, match="was deleted or replaced"), catalog.transaction():
            pass
        (tmp_path / "away").replace(tmp_path / "catalog.sqlite")
        with catalog.transaction():
            pass
