"""The table of the devices of all pools."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, String, Table, false

from producer.catalog.columns import AnyText, UtcTime
from producer.catalog.schema.naming import count, metadata

devices = Table(
    "devices",
    metadata,
    Column("device_id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, index=True),
    Column("pool_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("since", UtcTime, nullable=False),
    count("capacity_bytes"),
    count("free_bytes"),
    count("epoch"),
    Column("path", AnyText, nullable=False),
    Column("mount_point", AnyText, nullable=False, server_default=""),
    # Where it stands; "" where nobody said.
    Column("site", String(63), nullable=False, server_default=""),
    # Whether it may be away.
    Column("rotating", Boolean, nullable=False, server_default=false()),
    # Of two devices with one name, the one recorded last is meant.
    Column("recorded_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('live', 'full', 'read-only', 'suspect', 'dead', 'absent', 'lost')", name="state"),
)
