"""The schedule: reservations of volumes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
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
        sa.Column("last_ended_at", sa.DateTime(timezone=True)),
        sa.Column("last_outcome", sa.String(length=16), server_default="", nullable=False),
        sa.Column("last_message", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("if_missed IN ('catch-up', 'skip')", name=op.f("ck_reservations_if_missed")),
        sa.CheckConstraint("if_busy IN ('queue', 'skip')", name=op.f("ck_reservations_if_busy")),
        sa.PrimaryKeyConstraint("reservation_id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_volume"), "reservations", ["volume"])
    op.create_index(op.f("ix_reservations_next_due"), "reservations", ["next_due"])
