"""The tables of what may be deleted: who this catalog is, how often it has changed the devices, what is to go."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from producer.catalog.columns import UtcTime
from producer.catalog.schema.naming import count, metadata

# One row: a copy of the catalog has the same id.
identity = Table(
    "identity",
    metadata,
    Column("key", Integer, primary_key=True),
    Column("catalog_id", String(32), nullable=False),
)

# What the devices are compared with: a copy of the catalog does not know the tokens that came after it.
generations = Table(
    "generations",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("token", String(32), nullable=False),
    Column("raised_at", UtcTime, nullable=False),
)

# Stored objects that nothing needs, until their devices have deleted them.
doomed = Table(
    "doomed",
    metadata,
    Column("device_id", String(32), primary_key=True),
    Column("object_id", String(32), primary_key=True),
    count("bytes_stored"),
)
