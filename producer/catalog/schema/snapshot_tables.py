"""The tables of what is backed up: snapshots, their entries, segments, failed attempts and troubles."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    event,
    false,
    text,
)

from producer.catalog.columns import AnyText, UtcTime
from producer.catalog.schema.naming import count, key, metadata

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
    count("threshold_bytes"),
    count("bundle_limit_bytes"),
    count("unit_bytes"),
    count("block_bytes"),
    Column("level", Integer, nullable=False, server_default=text("0")),
    count("entries_count"),
    count("files_count"),
    count("bytes_source"),
    count("bytes_stored"),
    count("segments_count"),
    # Of the head of the manifest, as it went to the devices.
    Column("head_digest", LargeBinary),
    # What lay on devices that were away at the seal; most snapshots lack nothing.
    Column("lacks", JSON, nullable=False, server_default="[]"),
    Column("owner_names", JSON, nullable=False, server_default="{}"),
    # Their order, with gaps: one that a rebuild finds has its place among the others.
    count("position"),
    # What it was compared with; none of a full backup.
    Column("parent_id", String(32), nullable=False, server_default=""),
    # In a person's words.
    Column("description", AnyText, nullable=False, server_default=""),
    # The ids of the devices that took its manifest.
    Column("holders", JSON, nullable=False, server_default="[]"),
    # Kept whatever a policy says.
    Column("pinned", Boolean, nullable=False, server_default=false()),
    # When its tags or its pin were changed: what the manifest on the devices says of them is out of date.
    Column("marked_at", UtcTime),
    # The ids of the devices that have been told since then.
    Column("marks_on", JSON, nullable=False, server_default="[]"),
    # The row stays until nothing of the snapshot is left on any device.
    Column("forgotten_at", UtcTime),
    # Of a forgotten one: the ids of the devices that have no file of its manifest any more.
    Column("gone_from", JSON, nullable=False, server_default="[]"),
    # On how many devices each segment is to lie, and how many devices parity is to replace.
    Column("copies", Integer, nullable=False, server_default=text("1")),
    Column("parity", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("state IN ('open', 'sealed', 'forgotten')", name="state"),
    # The newest of each volume, and the one that was planned last.
    Index(None, "volume", "planned_at"),
    UniqueConstraint("position"),
)

listing_parts = Table(
    "listing_parts",
    metadata,
    key(),
    Column("number", Integer, primary_key=True),
    Column("first_entry", BigInteger, nullable=False),
    Column("entries_count", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index(None, "snapshot_key", "first_entry"),
)

trees = Table(
    "trees",
    metadata,
    key(),
    # 40 bytes for each of its parts, in order: producer/catalog/tables/trees.py.
    Column("parts", LargeBinary, nullable=False),
)

tree_parts = Table(
    "tree_parts",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

# Which snapshots brought a part to the devices.
packed_parts = Table(
    "packed_parts",
    metadata,
    key(),
    Column("digest", LargeBinary, primary_key=True),
    Index(None, "digest"),
)

segments = Table(
    "segments",
    metadata,
    key(),
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
    count("epoch"),
    count("bytes_stored"),
    Column("notes", JSON(none_as_null=True)),
    Column("file_state", JSON(none_as_null=True)),
    Column("timing", JSON(none_as_null=True)),
    Column("rerouted_count", Integer, nullable=False, server_default=text("0")),
    Column("fed_at", UtcTime),
    Column("last_error", AnyText, nullable=False, server_default=""),
    # Of a row that heals: the segment of an earlier snapshot of which it stores ranges again.
    Column("stored_as", String(32)),
    # What the receipt said (tasks/digests.py): 16 bytes for each cell of the extents that have several.
    Column("cell_digests", LargeBinary),
    # The extents, as ranges of their indexes, that were found unchanged and are not in the segment; and their bytes.
    Column("unchanged", JSON(none_as_null=True)),
    count("unchanged_bytes"),
    # 16 bytes for each extent: up to 1 MiB, so it comes last, where reading the other columns does not touch it.
    Column("extent_digests", LargeBinary),
    # Of what the segment holds, whose digests these are: producer/listing/places/stored_cells.py.
    Column("layout", LargeBinary),
    # No CHECK of the state: it would make the insert of a plan a quarter slower.
    Index(None, "snapshot_key", "device", "state", "number"),
    Index(None, "snapshot_key", "first_entry"),
)

# The digests of segments that have no row in `segments`: those that a rebuild has found.
segment_cells = Table(
    "segment_cells",
    metadata,
    Column("segment_id", String(32), primary_key=True),
    # Of each cell of its stream, in order: the sizes packed, and 16 bytes each.
    Column("sizes", LargeBinary, nullable=False),
    Column("digests", LargeBinary, nullable=False),
)

# Without a reference to a snapshot: an object is needed as long as a tree names its segment.
stored_objects = Table(
    "stored_objects",
    metadata,
    Column("object_id", String(32), primary_key=True),
    Column("device_id", String(32), primary_key=True),
    Column("segment_id", String(32), nullable=False, index=True),
    Column("snapshot_id", String(32), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("bytes_stored", BigInteger, nullable=False),
    Column("trailer_digest", LargeBinary, nullable=False),
    # (offset, size) in the segment's stream; NULL: all of it.
    Column("parts", JSON(none_as_null=True)),
    Column("is_damaged", Boolean, nullable=False, server_default=false()),
    # (offset, size) in the segment's stream, of a damaged one; NULL: nothing is known to be left.
    Column("damaged_ranges", JSON(none_as_null=True)),
    # When a check last looked at its structure, and when it read every byte.
    Column("looked_at", UtcTime),
    Column("read_at", UtcTime),
    Index(None, "device_id", "object_id"),
    # Of the few that are.
    Index("ix_stored_objects_damaged", "object_id", sqlite_where=text("is_damaged")),
)


@event.listens_for(stored_objects, "before_create")
def _index_the_damaged_alone(_table: Table, connection: Connection, **_options: object) -> None:
    """The same for PostgreSQL; named above, it would load that dialect into each command, which takes 50 ms."""
    if connection.dialect.name == "postgresql":
        (index,) = (index for index in stored_objects.indexes if index.name == "ix_stored_objects_damaged")
        index.dialect_kwargs["postgresql_where"] = text("is_damaged")


attempts = Table(
    "attempts",
    metadata,
    key(),
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
