"""What all tables share: the names of their constraints, and columns that several of them have."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, text

#: The newest revision in ``migrations/versions``; a test holds the two together.
SCHEMA_REVISION = "0001"

#: Constraints with names, so that a migration can drop them in either database.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key() -> Column[int]:
    """The snapshot that a row belongs to, as the first part of its primary key.

    A small integer, because every row of ``segments`` repeats it: with the 32 hex digits of the snapshot's id instead,
    100,000 segments and their indexes would take 10 MB more.
    """
    return Column("snapshot_key", Integer, ForeignKey("snapshots.snapshot_key", ondelete="CASCADE"), primary_key=True)


def count(name: str) -> Column[int]:
    """A count or a number of bytes that begins at 0."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))
