"""Alembic's entry: runs the migrations on the connection that ``upgrade.to_head`` was given."""

from __future__ import annotations

from alembic import context

from producer.catalog.schema import metadata

# Batch mode: SQLite alters a table by copying it.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
