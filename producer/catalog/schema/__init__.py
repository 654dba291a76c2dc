"""The tables.  A change here needs a migration in ``migrations/versions`` and a new SCHEMA_REVISION."""

from __future__ import annotations

from producer.catalog.schema.device_tables import devices
from producer.catalog.schema.naming import SCHEMA_REVISION, metadata
from producer.catalog.schema.parity_tables import parity_members, parity_rows
from producer.catalog.schema.retention_tables import doomed, generations, identity
from producer.catalog.schema.run_tables import locks, owners, reservations, runs, volume_checks
from producer.catalog.schema.snapshot_tables import (
    attempts,
    listing_parts,
    packed_parts,
    segment_cells,
    segments,
    snapshots,
    stored_objects,
    tree_parts,
    trees,
    troubles,
)

__all__ = [
    "SCHEMA_REVISION",
    "attempts",
    "devices",
    "doomed",
    "generations",
    "identity",
    "listing_parts",
    "locks",
    "metadata",
    "owners",
    "packed_parts",
    "parity_members",
    "parity_rows",
    "reservations",
    "runs",
    "segment_cells",
    "segments",
    "snapshots",
    "stored_objects",
    "tree_parts",
    "trees",
    "troubles",
    "volume_checks",
]
