"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    _create_snapshots()
    _create_listing_parts()
    _create_trees()
    _create_segments()
    _create_segment_cells()
    _create_stored_objects()
    _create_parity()
    _create_attempts()
    _create_troubles()
    _create_devices()
    _create_retention()
    _create_runs()
    _create_volume_checks()
    _create_reservations()
    _create_owners()
    _create_locks()


def _create_snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("snapshot_id", sa.String(length=32), nullable=False),
        sa.Column("pool_id", sa.String(length=32), nullable=False),
        sa.Column("volume", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("hostname", sa.Text(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("sources", sa.JSON(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True)),
        sa.Column("sealed_at", sa.DateTime(timezone=True)),
        sa.Column("threshold_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bundle_limit_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unit_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("block_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("level", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("entries_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("files_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_source", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("segments_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("head_digest", sa.LargeBinary()),
        sa.Column("lacks", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("owner_names", sa.JSON(), server_default="{}", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parent_id", sa.String(length=32), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("holders", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True)),
        sa.Column("marks_on", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True)),
        sa.Column("gone_from", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("copies", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("parity", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("state IN ('open', 'sealed', 'forgotten')", name=op.f("ck_snapshots_state")),
        sa.PrimaryKeyConstraint("snapshot_key", name=op.f("pk_snapshots")),
        sa.UniqueConstraint("position", name=op.f("uq_snapshots_position")),
        sa.UniqueConstraint("snapshot_id", name=op.f("uq_snapshots_snapshot_id")),
    )
    op.create_index(op.f("ix_snapshots_volume_planned_at"), "snapshots", ["volume", "planned_at"])


def _create_listing_parts() -> None:
    op.create_table(
        "listing_parts",
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_entry", sa.BigInteger(), nullable=False),
        sa.Column("entries_count", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_key"], ["snapshots.snapshot_key"], name=op.f("fk_listing_parts_snapshot_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("snapshot_key", "number", name=op.f("pk_listing_parts")),
    )
    op.create_index(op.f("ix_listing_parts_snapshot_key_first_entry"), "listing_parts", ["snapshot_key", "first_entry"])


def _create_trees() -> None:
    op.create_table(
        "trees",
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_key"], ["snapshots.snapshot_key"], name=op.f("fk_trees_snapshot_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("snapshot_key", name=op.f("pk_trees")),
    )
    op.create_table(
        "tree_parts",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tree_parts")),
    )
    op.create_table(
        "packed_parts",
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_key"], ["snapshots.snapshot_key"], name=op.f("fk_packed_parts_snapshot_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("snapshot_key", "digest", name=op.f("pk_packed_parts")),
    )
    op.create_index(op.f("ix_packed_parts_digest"), "packed_parts", ["digest"])


def _create_segments() -> None:
    op.create_table(
        "segments",
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("device_id", sa.String(length=32)),
        sa.Column("first_entry", sa.BigInteger(), nullable=False),
        sa.Column("stop_entry", sa.BigInteger(), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), server_default="planned", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("notes", sa.JSON()),
        sa.Column("file_state", sa.JSON()),
        sa.Column("timing", sa.JSON()),
        sa.Column("rerouted_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("fed_at", sa.DateTime(timezone=True)),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("stored_as", sa.String(length=32)),
        sa.Column("cell_digests", sa.LargeBinary()),
        sa.Column("unchanged", sa.JSON()),
        sa.Column("unchanged_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("extent_digests", sa.LargeBinary()),
        sa.Column("layout", sa.LargeBinary()),
        sa.ForeignKeyConstraint(
            ["snapshot_key"], ["snapshots.snapshot_key"], name=op.f("fk_segments_snapshot_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("snapshot_key", "number", name=op.f("pk_segments")),
        sa.UniqueConstraint("segment_id", name=op.f("uq_segments_segment_id")),
    )
    op.create_index(
        op.f("ix_segments_snapshot_key_device_state_number"), "segments", ["snapshot_key", "device", "state", "number"]
    )
    op.create_index(op.f("ix_segments_snapshot_key_first_entry"), "segments", ["snapshot_key", "first_entry"])


def _create_segment_cells() -> None:
    op.create_table(
        "segment_cells",
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.Column("sizes", sa.LargeBinary(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_segment_cells")),
    )


def _create_stored_objects() -> None:
    op.create_table(
        "stored_objects",
        sa.Column("object_id", sa.String(length=32), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.Column("snapshot_id", sa.String(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), nullable=False),
        sa.Column("trailer_digest", sa.LargeBinary(), nullable=False),
        sa.Column("parts", sa.JSON()),
        sa.Column("is_damaged", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("damaged_ranges", sa.JSON()),
        sa.Column("looked_at", sa.DateTime(timezone=True)),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("object_id", "device_id", name=op.f("pk_stored_objects")),
    )
    op.create_index(op.f("ix_stored_objects_segment_id"), "stored_objects", ["segment_id"])
    op.create_index(op.f("ix_stored_objects_device_id_object_id"), "stored_objects", ["device_id", "object_id"])
    op.create_index(
        "ix_stored_objects_damaged",
        "stored_objects",
        ["object_id"],
        sqlite_where=sa.text("is_damaged"),
        postgresql_where=sa.text("is_damaged"),
    )


def _create_parity() -> None:
    op.create_table(
        "parity_members",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.String(length=32), nullable=False),
        sa.Column("segment_id", sa.String(length=32), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("trailer_digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "place", name=op.f("pk_parity_members")),
    )
    op.create_index(op.f("ix_parity_members_object_id"), "parity_members", ["object_id"])
    op.create_table(
        "parity_rows",
        sa.Column("group_id", sa.String(length=32), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("digest", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("group_id", "row", name=op.f("pk_parity_rows")),
    )
    op.create_index(op.f("ix_parity_rows_device_id"), "parity_rows", ["device_id"])


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=63), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_key"], ["snapshots.snapshot_key"], name=op.f("fk_attempts_snapshot_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("snapshot_key", "number", "attempt", name=op.f("pk_attempts")),
    )


def _create_troubles() -> None:
    op.create_table(
        "troubles",
        sa.Column("trouble_key", sa.Integer(), nullable=False),
        sa.Column("snapshot_key", sa.Integer(), nullable=False),
        sa.Column("entry_index", sa.BigInteger()),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot_key"], ["snapshots.snapshot_key"], name=op.f("fk_troubles_snapshot_key"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trouble_key", name=op.f("pk_troubles")),
    )
    op.create_index(op.f("ix_troubles_snapshot_key"), "troubles", ["snapshot_key"])


def _create_retention() -> None:
    op.create_table(
        "identity",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("catalog_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_identity")),
    )
    op.create_table(
        "generations",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_generations")),
    )
    op.create_table(
        "doomed",
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=32), nullable=False),
        sa.Column("bytes_stored", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "object_id", name=op.f("pk_doomed")),
    )


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("device_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("pool_id", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("free_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("mount_point", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("site", sa.String(length=63), server_default="", nullable=False),
        sa.Column("rotating", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('live', 'full', 'read-only', 'suspect', 'dead', 'absent', 'lost')",
            name=op.f("ck_devices_state"),
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_devices")),
    )
    op.create_index(op.f("ix_devices_name"), "devices", ["name"])


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("snapshot_id", sa.String(length=32)),
        sa.Column("volume", sa.Text(), nullable=False),
        sa.Column("owner_host", sa.Text(), nullable=False),
        sa.Column("owner_pid", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("exit_code", sa.Integer()),
        sa.Column("summary", sa.JSON()),
        sa.CheckConstraint(
            "kind IN ('backup', 'restore', 'check', 'forget', 'prune', 'rewrite')", name=op.f("ck_runs_kind")
        ),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_kind_volume_position"), "runs", ["kind", "volume", "position"])
    op.create_index(op.f("ix_runs_position"), "runs", ["position"])
    op.create_index(op.f("ix_runs_started_at"), "runs", ["started_at"])
    op.create_index(op.f("ix_runs_ended_at"), "runs", ["ended_at"])


def _create_volume_checks() -> None:
    op.create_table(
        "volume_checks",
        sa.Column("volume", sa.Text(), nullable=False),
        sa.Column("read_data", sa.Boolean(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("snapshots_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("damaged_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("volume", "read_data", name=op.f("pk_volume_checks")),
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("reservation_id", sa.String(length=32), nullable=False),
        sa.Column("volume", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("if_missed", sa.String(length=16), nullable=False),
        sa.Column("if_busy", sa.String(length=16), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True)),
        sa.Column("last_due", sa.DateTime(timezone=True)),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.Column("last_ended_at", sa.DateTime(timezone=True)),
        sa.Column("last_outcome", sa.String(length=16), server_default="", nullable=False),
        sa.Column("last_message", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("manager", sa.String(length=63), server_default="", nullable=False),
        sa.Column("host", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("if_missed IN ('catch-up', 'skip')", name=op.f("ck_reservations_if_missed")),
        sa.CheckConstraint("if_busy IN ('queue', 'skip')", name=op.f("ck_reservations_if_busy")),
        sa.PrimaryKeyConstraint("reservation_id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_volume"), "reservations", ["volume"])
    op.create_index(op.f("ix_reservations_next_due"), "reservations", ["next_due"])


def _create_owners() -> None:
    op.create_table(
        "owners",
        sa.Column("owner_id", sa.String(length=32), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid_space", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("process_start", sa.String(length=32), nullable=False),
        sa.Column("manager", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beats_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_owners")),
    )


def _create_locks() -> None:
    op.create_table(
        "locks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(length=32), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["owners.owner_id"], name=op.f("fk_locks_owner_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_locks")),
    )
    op.create_index(op.f("ix_locks_owner_id"), "locks", ["owner_id"])
