"""The part that all tables of the catalog share: transactions, reading and writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table, insert, select

from producer.catalog.opening import WRITING, catalog_errors, catalog_url, open_engine
from producer.catalog.revision import bring_up_to_date
from producer.catalog.schema import owners, snapshots
from tasks.errors import CatalogError, LockedError

#: Rows that one call gives to the driver: some MB of Python values.
_PAGE_ROWS = 10_000

Parameters = Sequence[dict[str, Any]] | dict[str, Any] | None


class Database:
    """An open catalog, owned by the thread that opened it: another thread or process opens its own.

    Every method that writes commits by itself, or takes part in the :meth:`transaction` around it.
    Every method raises CatalogError when the database fails.
    """

    def __init__(self, location: str | Path) -> None:
        """Open the catalog at a path or URL; it is created, or migrated, if need be."""
        self._url = catalog_url(location)
        self._engine = open_engine(self._url)
        self._writing_engine = self._engine.execution_options(**WRITING)
        self._transaction: Connection | None = None
        self._snapshot_keys: dict[str, int] = {}
        self._writer_id = ""
        with catalog_errors(self._url):
            bring_up_to_date(self._engine)

    def close(self) -> None:
        """Free the connection; idempotent."""
        self._engine.dispose()

    @property
    def is_shared(self) -> bool:
        """Whether processes of several hosts may use the catalog: a SQLite file is for one host."""
        return self._url.get_backend_name() != "sqlite"

    def write_as(self, owner_id: str) -> None:
        """From now on write only while this owner is recorded: every method that writes raises LockedError after that.

        The owner is looked up inside each transaction that writes, and cannot be removed before that has ended.  So a
        process that stood still while somebody took its locks away changes nothing when it goes on.  "": write freely.
        """
        self._writer_id = owner_id

    def confirm_writer(self) -> None:
        """Raise LockedError if :meth:`write_as` would; for what is done elsewhere on the strength of a lock."""
        with self._writing():
            pass

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is committed at the end, or nothing if an error leaves it.

        A batch of receipts in one transaction is one commit.  Inside another transaction it is a part of that.
        """
        with self._writing():
            yield

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with catalog_errors(self._url):
            if self._transaction is not None:
                yield self._transaction
                return
            with self._writing_engine.begin() as self._transaction:
                try:
                    self._refuse_without_locks(self._transaction)
                    yield self._transaction
                except BaseException:
                    self._snapshot_keys.clear()  # some may be of rows that are now rolled back
                    raise
                finally:
                    self._transaction = None

    def _refuse_without_locks(self, connection: Connection) -> None:
        if not self._writer_id:
            return
        # FOR KEY SHARE: does not wait for the owner's renewals, and keeps it from being removed.
        present = select(owners.c.owner_id).where(owners.c.owner_id == self._writer_id)
        if connection.execute(present.with_for_update(read=True, key_share=True)).first() is None:
            raise LockedError(
                "this run has lost its locks: it gave no sign of life for so long that it was taken for dead",
                hint="run the same command again to go on; segfleet unlock --list shows who has the locks now",
            )

    def _read(self, statement: Executable) -> Sequence[Row[Any]]:
        with catalog_errors(self._url):
            if self._transaction is not None:
                return self._transaction.execute(statement).all()
            with self._engine.connect() as connection:
                return connection.execute(statement).all()

    def _read_one(self, statement: Executable) -> Row[Any] | None:
        rows = self._read(statement)
        return rows[0] if rows else None

    def _write(self, statement: Executable, parameters: Parameters = None) -> int:
        """Rows that a statement inserted, changed or deleted."""
        with self._writing() as connection:
            return connection.execute(statement, parameters).rowcount

    def _insert_many(self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows of numbers and plain strings, all or none; ``columns`` in the order of the table.

        The driver gets them as they are: SQLAlchemy's work on a row takes as long as the insert itself.
        """
        pending = iter(rows)
        with self._writing() as connection:
            compiled = insert(table).compile(connection, column_keys=columns)
            while page := list(islice(pending, _PAGE_ROWS)):
                # SQLite's driver takes parameters by position, PostgreSQL's by name.
                values = page if compiled.positional else [dict(zip(columns, row, strict=True)) for row in page]
                connection.exec_driver_sql(str(compiled), values)

    def _insert_if_absent(self, table: Table, values: dict[str, Any]) -> bool:
        """Whether the row is new; False, and nothing changed, when one with its key is there already."""
        with self._writing() as connection:
            statement = _insert_of(connection)(table).values(**values).on_conflict_do_nothing()
            # Of an INSERT the count is thrown away unless it is asked for.
            return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1

    def _key(self, snapshot_id: str) -> int:
        """The snapshot's integer key; an id that is not in the catalog raises CatalogError."""
        key = self._snapshot_keys.get(snapshot_id)
        if key is None:
            row = self._read_one(select(snapshots.c.snapshot_key).where(snapshots.c.snapshot_id == snapshot_id))
            if row is None:
                raise CatalogError(f"snapshot {snapshot_id} is not in the catalog")
            key = self._snapshot_keys[snapshot_id] = row.snapshot_key
        return key


def _insert_of(connection: Connection) -> Any:
    """The database's own INSERT, which knows ON CONFLICT."""
    # Only here: PostgreSQL's takes 20 ms to import, and is there already where it is needed.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert
