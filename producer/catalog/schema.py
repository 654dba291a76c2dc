"""The tables.  A change here needs a migration in ``migrations/versions`` and a new SCHEMA_REVISION.

Snapshots have a small integer key because every row of ``segments`` repeats it: with the 32 hex
digits of the snapshot's id instead, 100,000 segments and their indexes would take 10 MB more.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from producer.catalog.columns import AnyText, UtcTime

#: The newest revision in ``migrations/versions``; a test holds the two together.
SCHEMA_REVISION = "0004"

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


def _key() -> Column[int]:
    """The snapshot that a row belongs to, as the first part of its primary key."""
    return Column("snapshot_key", Integer, ForeignKey("snapshots.snapshot_key", ondelete="CASCADE"), primary_key=True)


def _count(name: str) -> Column[int]:
    """A count or a number of bytes that begins at 0."""
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


devices = Table(
    "devices",
    metadata,
    Column("device_id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, index=True),
    Column("pool_id", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", AnyText, nullable=False),
    Column("since", UtcTime, nullable=False),
    _count("capacity_bytes"),
    _count("free_bytes"),
    _count("epoch"),
    Column("path", AnyText, nullable=False),
    # Of two devices with one name, the one recorded last is meant.
    Column("recorded_at", UtcTime, nullable=False),
    CheckConstraint("state IN ('live', 'full', 'suspect', 'dead', 'absent')", name="state"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("snapshot_key", Integer, primary_key=True),
    Column("snapshot_id", String(32), nullable=False, unique=True),
    Column("pool_id", String(32), nullable=False),
    Column("volume", AnyText, nullable=False),
    Column("mode", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("hostname", AnyText, nullable=False),
    Column("tags", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("request", JSON, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("planned_at", UtcTime),
    Column("sealed_at", UtcTime),
    _count("threshold_bytes"),
    _count("bundle_limit_bytes"),
    _count("unit_bytes"),
    _count("block_bytes"),
    Column("level", Integer, nullable=False, server_default=text("0")),
    _count("entries_count"),
    _count("files_count"),
    _count("bytes_source"),
    _count("bytes_stored"),
    _count("segments_count"),
    CheckConstraint("state IN ('open', 'sealed', 'forgotten')", name="state"),
)

listing_parts = Table(
    "listing_parts",
    metadata,
    _key(),
    Column("number", Integer, primary_key=True),
    Column("first_entry", BigInteger, nullable=False),
    Column("entries_count", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index(None, "snapshot_key", "first_entry"),
)

segments = Table(
    "segments",
    metadata,
    _key(),
    Column("number", Integer, primary_key=True),
    Column("segment_id", String(32), nullable=False, unique=True),
    Column("device", String(63), nullable=False),
    Column("device_id", String(32)),
    Column("first_entry", BigInteger, nullable=False),
    Column("stop_entry", BigInteger, nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("state", String(16), nullable=False, server_default="planned"),
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    _count("epoch"),
    _count("bytes_stored"),
    Column("notes", JSON(none_as_null=True)),
    Column("file_state", JSON(none_as_null=True)),
    Column("timing", JSON(none_as_null=True)),
    Column("rerouted_count", Integer, nullable=False, server_default=text("0")),
    Column("fed_at", UtcTime),
    Column("last_error", AnyText, nullable=False, server_default=""),
    # Of a range that an earlier segment holds ("referenced"): that segment, and where in its stream the range begins.
    Column("stored_as", String(32)),
    _count("stream_offset_bytes"),
    # Of pieces of raw volumes: 32 bytes for each cell.
    Column("cell_digests", LargeBinary),
    # No CHECK of the state: it would make the insert of a plan a quarter slower.
    Index(None, "snapshot_key", "device", "state", "number"),
    Index(None, "snapshot_key", "first_entry"),
)

attempts = Table(
    "attempts",
    metadata,
    _key(),
    Column("number", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("device", String(63), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("message", AnyText, nullable=False),
    Column("at", UtcTime, nullable=False),
)

troubles = Table(
    "troubles",
    metadata,
    Column("trouble_key", Integer, primary_key=True),
    Column(
        "snapshot_key", Integer, ForeignKey("snapshots.snapshot_key", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("entry_index", BigInteger),
    Column("path", AnyText, nullable=False),
    Column("code", String(64), nullable=False),
    Column("message", AnyText, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    # Not a foreign key: a run stays in the history when its snapshot is gone.
    Column("snapshot_id", String(32)),
    Column("volume", AnyText, nullable=False),
    Column("owner_host", AnyText, nullable=False),
    Column("owner_pid", BigInteger, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("exit_code", Integer),
    Column("summary", JSON(none_as_null=True)),
    CheckConstraint("kind IN ('backup', 'restore', 'check')", name="kind"),
    Index(None, "volume", "started_at"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("reservation_id", String(32), primary_key=True),
    Column("volume", AnyText, nullable=False, index=True),
    Column("cron", AnyText, nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("if_missed", String(16), nullable=False),
    Column("if_busy", String(16), nullable=False),
    Column("request", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    # What a claim compares and sets.
    Column("next_due", UtcTime, nullable=False, index=True),
    Column("queued_at", UtcTime),
    Column("last_due", UtcTime),
    Column("last_ended_at", UtcTime),
    Column("last_outcome", String(16), nullable=False, server_default=""),
    Column("last_message", AnyText, nullable=False, server_default=""),
    Column("owner", AnyText, nullable=False, server_default=""),
    # Who is to run it: one manager, or whoever is on one host; "" means anybody.
    Column("manager", String(63), nullable=False, server_default=""),
    Column("host", AnyText, nullable=False, server_default=""),
    CheckConstraint("if_missed IN ('catch-up', 'skip')", name="if_missed"),
    CheckConstraint("if_busy IN ('queue', 'skip')", name="if_busy"),
)

# The processes that hold locks or run reservations now, and those that died over it.
owners = Table(
    "owners",
    metadata,
    Column("owner_id", String(32), primary_key=True),
    Column("host", AnyText, nullable=False),
    Column("pid_space", AnyText, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_start", String(32), nullable=False),
    Column("manager", AnyText, nullable=False),
    Column("since", UtcTime, nullable=False),
    # By the database's clock, as `since` is; `beats_count` rises with it, and is what a take-over compares.
    Column("renewed_at", UtcTime, nullable=False),
    _count("beats_count"),
)

locks = Table(
    "locks",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("owner_id", String(32), ForeignKey("owners.owner_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", AnyText, nullable=False),
    Column("since", UtcTime, nullable=False),
)
