"""The tables of work: the history, the schedule, and the processes that hold locks."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, String, Table

from producer.catalog.columns import AnyText, UtcTime
from producer.catalog.schema.naming import count, metadata

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    # The order of their beginnings, which clocks may tell wrongly; two managers may take the same one.
    Column("position", BigInteger, nullable=False),
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
    CheckConstraint("kind IN ('backup', 'restore', 'check', 'forget', 'prune', 'rewrite')", name="kind"),
    # The newest of each kind of each volume.
    Index(None, "kind", "volume", "position"),
    # The history is cut at its end, and read again from where it has changed.
    Index(None, "position"),
    Index(None, "started_at"),
    Index(None, "ended_at"),
)

# The last check of everything that a volume has, of structure alone and of every byte.
volume_checks = Table(
    "volume_checks",
    metadata,
    Column("volume", AnyText, primary_key=True),
    Column("read_data", Boolean, primary_key=True),
    Column("checked_at", UtcTime, nullable=False),
    count("snapshots_count"),
    count("damaged_count"),
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
    Column("claimed_at", UtcTime),
    Column("last_ended_at", UtcTime),
    Column("last_outcome", String(16), nullable=False, server_default=""),
    Column("last_message", AnyText, nullable=False, server_default=""),
    Column("owner", AnyText, nullable=False, server_default=""),
    # Who is to run it: one manager, or anyone on one host; "" means anybody.
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
    count("beats_count"),
)

locks = Table(
    "locks",
    metadata,
    Column("name", AnyText, primary_key=True),
    Column("owner_id", String(32), ForeignKey("owners.owner_id", ondelete="CASCADE"), nullable=False, index=True),
    Column("purpose", AnyText, nullable=False),
    Column("since", UtcTime, nullable=False),
)
