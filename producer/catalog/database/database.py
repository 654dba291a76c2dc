"""The open database that all groups of tables share: transactions, reading and writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, Table, select

from producer.catalog.database.copy import catalog_file
from producer.catalog.database.opening import (
    WRITING,
    WRITING_DURABLY,
    catalog_errors,
    catalog_url,
    open_engine,
    shown_url,
    why_read_only,
)
from producer.catalog.database.revision import bring_up_to_date
from producer.catalog.database.same_file import SameFile
from producer.catalog.database.version import Version, version_of
from producer.catalog.schema import owners, snapshots
from tasks.errors import CatalogError, LockedError

#: Rows in one call of the driver: some MB of Python values.
_PAGE_ROWS = 10_000

Parameters = Sequence[dict[str, Any]] | dict[str, Any] | None


class Database:
    """One connection; the rules are those of :class:`producer.catalog.catalog.Catalog`, the only one who makes it."""

    def __init__(self, location: str | Path) -> None:
        """Open the database at a path or URL; create or migrate its tables first if necessary."""
        self._url = catalog_url(location)
        self.why_read_only = why_read_only(self._url)
        self._engine = open_engine(self._url, read_only=self.why_read_only)
        self._writing_engine = self._engine.execution_options(**WRITING)
        self._durable_engine = self._engine.execution_options(**WRITING_DURABLY)
        self._transaction: Connection | None = None
        self._reading: Connection | None = None
        self._snapshot_keys: dict[str, int] = {}
        self._writer_id = ""
        self._transactions_count = 0
        with catalog_errors(self._url):
            bring_up_to_date(self._engine, refuse=self._refuse_when_read_only)
        self._file = SameFile(catalog_file(location))

    def close(self) -> None:
        """Free the connection; idempotent."""
        self._engine.dispose()

    @property
    def is_shared(self) -> bool:
        """Whether processes of several hosts may use the catalog: a SQLite file is for one host."""
        return self._url.get_backend_name() != "sqlite"

    @property
    def place(self) -> str:
        """Where the catalog is, for a person."""
        return shown_url(self._url)

    def write_as(self, owner_id: str) -> None:
        """See :meth:`producer.catalog.catalog.Catalog.write_as`."""
        self._writer_id = owner_id

    def confirm_writer(self) -> None:
        """Raise LockedError if a write would."""
        with self._writing():
            pass

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One commit for everything written inside, and none if an error leaves the block."""
        with self._writing():
            yield

    @contextmanager
    def durable_transaction(self) -> Iterator[None]:
        """As :meth:`transaction`, and on its disk when it ends, with all that was committed before."""
        assert self._transaction is None, "a transaction is durable as a whole"
        with self._writing(durably=True):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One transaction for all that is read inside, which costs less than many; writes inside have their own.

        One inside another is part of it.
        """
        if self._reading is not None:
            yield
            return
        with catalog_errors(self._url), self._engine.connect() as self._reading:
            try:
                yield
            finally:
                self._reading = None

    def version(self) -> Version:
        """See :meth:`producer.catalog.catalog.Catalog.version`."""
        with self.reading(), catalog_errors(self._url):
            assert self._reading is not None
            # SQLite does not count what this connection has written.
            return *version_of(self._reading), self._transactions_count

    def _refuse_when_read_only(self) -> None:
        if self.why_read_only:
            shown = shown_url(self._url)
            raise CatalogError(
                f"the catalog {shown} cannot be written: {self.why_read_only}",
                hint="free some space, or make its folder writable; commands that only read still work",
                path=shown,
            )

    @contextmanager
    def _writing(self, *, durably: bool = False) -> Iterator[Connection]:
        self._refuse_when_read_only()
        self._file.confirm()
        with catalog_errors(self._url):
            if self._transaction is not None:
                yield self._transaction
                return
            self._transactions_count += 1
            engine = self._durable_engine if durably else self._writing_engine
            with engine.begin() as self._transaction:
                try:
                    self._refuse_without_locks(self._transaction)
                    yield self._transaction
                except BaseException:
                    self._snapshot_keys.clear()  # some may belong to rows that are rolled back now
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
                "this run has lost its locks: it gave no sign of life for too long, and counted as gone",
                hint="run the same command again to continue; segfleet unlock --list shows who has the locks now",
            )

    def read(self, statement: Executable) -> Sequence[Row[Any]]:
        with catalog_errors(self._url):
            connection = self._transaction or self._reading
            if connection is not None:
                return connection.execute(statement).all()
            with self._engine.connect() as connection:
                return connection.execute(statement).all()

    def read_one(self, statement: Executable) -> Row[Any] | None:
        rows = self.read(statement)
        return rows[0] if rows else None

    def write(self, statement: Executable, parameters: Parameters = None) -> int:
        """Run a statement; returns how many rows it inserted, changed or deleted."""
        with self._writing() as connection:
            return connection.execute(statement, parameters).rowcount

    def insert_many(
        self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, if_absent: bool = False
    ) -> None:
        """Insert rows of numbers and plain strings, all or none; ``columns`` in the order of the table.

        ``if_absent``: leave rows as they are whose key is taken, perhaps by another process at this moment.  They go to
        the driver unchanged: SQLAlchemy's work on a row takes as long as the insert itself.
        """
        pending = iter(rows)
        with self._writing() as connection:
            statement = _insert_of(connection)(table)
            compiled = (statement.on_conflict_do_nothing() if if_absent else statement).compile(
                connection, column_keys=columns
            )
            assert list(compiled.positiontup or columns) == list(columns), "columns in another order than the table's"
            while page := list(islice(pending, _PAGE_ROWS)):
                # SQLite's driver takes parameters by position, PostgreSQL's by name.
                values = page if compiled.positional else [dict(zip(columns, row, strict=True)) for row in page]
                connection.exec_driver_sql(str(compiled), values)

    def insert_if_absent(self, table: Table, values: dict[str, Any]) -> bool:
        """Insert a row; returns False, and changes nothing, when its key is taken."""
        with self._writing() as connection:
            statement = _insert_of(connection)(table).values(**values).on_conflict_do_nothing()
            # SQLAlchemy drops the count of an INSERT unless asked to keep it.
            return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1

    def snapshot_key(self, snapshot_id: str) -> int:
        """The snapshot's integer key; an unknown id raises CatalogError."""
        key = self._snapshot_keys.get(snapshot_id)
        if key is None:
            row = self.read_one(select(snapshots.c.snapshot_key).where(snapshots.c.snapshot_id == snapshot_id))
            if row is None:
                raise CatalogError(f"snapshot {snapshot_id} is not in the catalog")
            key = self._snapshot_keys[snapshot_id] = row.snapshot_key
        return key

    def forget_key(self, snapshot_id: str) -> None:
        """The snapshot was deleted: its key may be used again."""
        self._snapshot_keys.pop(snapshot_id, None)


def _insert_of(connection: Connection) -> Any:
    """The INSERT of this database, which has ON CONFLICT."""
    # Imported here: PostgreSQL's takes 20 ms, and is loaded already where it is needed.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert
