"""Raw volumes: the digests of their cells, and segments that are stored as part of an earlier snapshot."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    with op.batch_alter_table("segments") as batch:
        batch.add_column(sa.Column("stored_as", sa.String(length=32)))
        batch.add_column(sa.Column("stream_offset_bytes", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
        batch.add_column(sa.Column("cell_digests", sa.LargeBinary()))
