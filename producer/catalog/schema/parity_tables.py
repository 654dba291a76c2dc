"""The tables of parity: which stored objects form a group, and on which device each row of its parity is to lie."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from producer.catalog.schema.naming import count, metadata

# Without a reference to an object: where a member lies, if it does, says the index.
parity_members = Table(
    "parity_members",
    metadata,
    Column("group_id", String(32), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("object_id", String(32), nullable=False),
    Column("segment_id", String(32), nullable=False),
    count("bytes_stored"),
    Column("trailer_digest", LargeBinary, nullable=False),
    Index(None, "object_id"),
)

parity_rows = Table(
    "parity_rows",
    metadata,
    Column("group_id", String(32), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("device_id", String(32), nullable=False),
    # 0 and NULL until the row has been written.
    count("bytes_stored"),
    Column("digest", LargeBinary),
    Index(None, "device_id"),
)
