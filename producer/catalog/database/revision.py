"""Bringing a catalog's tables to the schema of this release.

Alembic takes 130 ms to import, more than half of what ``segfleet snapshots`` may take.  So it is left
alone when one SELECT says that the schema is current, and a fresh catalog is created from the tables in
:mod:`producer.catalog.schema` and stamped; a test holds that the migrations give the same schema.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select, text

from producer.catalog.database.opening import WRITING
from producer.catalog.schema import SCHEMA_REVISION, metadata
from tasks.errors import CatalogError

#: Alembic's own table, as Alembic makes it.
_versions = Table(
    "alembic_version",
    MetaData(naming_convention={"pk": "alembic_version_pkc"}),
    Column("version_num", String(32), primary_key=True),
)

#: Any number that no other program takes: managers that open a fresh PostgreSQL catalog at once wait for each other.
_ADVISORY_LOCK = 0x5E6F1EE7


def bring_up_to_date(engine: Engine, *, refuse: Callable[[], None] = lambda: None) -> None:
    """Create or migrate the tables in one transaction; a newer schema than ours raises CatalogError.

    ``refuse`` is called before anything is written, and may raise.
    """
    with engine.connect() as connection:
        if _revision(connection) == SCHEMA_REVISION:
            return
    refuse()
    with engine.execution_options(**WRITING).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        revision = _revision(connection)  # again: another process may have been faster
        if revision is None:
            _create(connection)
        elif revision != SCHEMA_REVISION:
            _migrate(connection, revision)


def _revision(connection: Connection) -> str | None:
    """The revision of the tables; None for an empty database."""
    if not inspect(connection).has_table(_versions.name):
        return None
    return connection.execute(select(_versions.c.version_num)).scalar()


def _create(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    _versions.create(connection)
    connection.execute(insert(_versions).values(version_num=SCHEMA_REVISION))


def _migrate(connection: Connection, revision: str) -> None:
    from producer.catalog.migrations import upgrade  # imports Alembic: see above

    if not upgrade.knows(revision):
        raise CatalogError(
            f"the catalog was made by a newer segfleet: its schema is {revision}, this one's is {SCHEMA_REVISION}",
            hint="use the newer segfleet",
        )
    upgrade.to_head(connection)
