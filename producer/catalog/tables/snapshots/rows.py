"""The rows of the table of snapshots."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from producer.catalog.columns import JsonObject
from tasks.sources.metadata import OwnerNames

#: forgotten: nobody sees it any more; others may need what it stored, and devices that are away still have it.
SnapshotState = Literal["open", "sealed", "forgotten"]


class SourceRow(Struct, frozen=True, kw_only=True):
    """A source of a snapshot: its name is the first part of the paths."""

    name: str
    path: str
    #: raw: the source is one block device or image file, and has one entry.
    mode: Literal["files", "raw"] = "files"


class NewSnapshot(Struct, frozen=True, kw_only=True):
    """What is known of a snapshot when its backup begins.

    ``request`` is a JSON object of the options; the same command gives an equal one, and so finds
    the snapshot that it can resume.
    """

    snapshot_id: str
    pool_id: str
    volume: str
    mode: str
    hostname: str
    tags: tuple[str, ...]
    sources: tuple[SourceRow, ...]
    request: JsonObject
    started_at: datetime
    #: The snapshot that it is compared with; "" for none.
    parent_id: str = ""
    #: In a person's words.
    description: str = ""
    #: On how many devices each segment is to lie, and how many devices parity is to replace.
    copies: int = 1
    parity: int = 0


class SnapshotPlan(Struct, frozen=True, kw_only=True):
    """What is known of a snapshot when its plan is made."""

    threshold_bytes: int
    bundle_limit_bytes: int
    unit_bytes: int
    block_bytes: int
    level: int
    entries_count: int
    files_count: int
    bytes_source: int
    segments_count: int
    #: What users and groups of the entries are called where the sources were read.
    owner_names: OwnerNames = field(default_factory=OwnerNames)


class StoredSums(Struct, frozen=True, kw_only=True):
    """What a snapshot itself has stored, without what it shares with others."""

    segments_count: int
    bytes_stored: int


class LackRow(Struct, frozen=True, kw_only=True):
    """What a snapshot lacks because a device is away, or was when it was sealed, or because of damage on it."""

    device_id: str
    device: str
    #: Files of which the device holds something or was to store it, and how much.
    files_count: int
    size_bytes: int
    #: Of these: what no device has stored, so that it does not come back with the device.
    omitted_files_count: int = 0
    omitted_bytes: int = 0
    #: What is in objects on the device that were found damaged or missing, and in no other, and since when (RFC 3339).
    damaged_files_count: int = 0
    damaged_bytes: int = 0
    damaged_since: str = ""


class SnapshotRow(Struct, frozen=True, kw_only=True):
    """A snapshot.  What SnapshotPlan says is 0 until ``planned_at`` is set, ``bytes_stored`` until it is sealed.

    ``planned_at``: when the last run that worked on it had its plan.  ``lacks``: as backups, checks and repairs have
    found it last; what is lacking still, :mod:`producer.catalog.lacks` says.
    """

    snapshot_id: str
    pool_id: str
    volume: str
    mode: str
    state: SnapshotState
    hostname: str
    tags: tuple[str, ...]
    sources: tuple[SourceRow, ...]
    request: JsonObject
    started_at: datetime
    planned_at: datetime | None
    sealed_at: datetime | None
    threshold_bytes: int
    bundle_limit_bytes: int
    unit_bytes: int
    block_bytes: int
    level: int
    entries_count: int
    files_count: int
    bytes_source: int
    bytes_stored: int
    segments_count: int
    lacks: tuple[LackRow, ...]
    #: BLAKE3 of the head of its manifest; None until it is sealed.
    head_digest: bytes | None = None
    owner_names: OwnerNames = field(default_factory=OwnerNames)
    #: What it was compared with; "" for none.
    parent_id: str = ""
    #: In a person's words.
    description: str = ""
    #: The ids of the devices that took its manifest.
    holders: tuple[str, ...] = ()
    #: Kept whatever a policy says.
    pinned: bool = False
    #: When its tags or its pin were last changed; None: they are as its manifest has them.
    marked_at: datetime | None = None
    #: The ids of the devices that have its tags and its pin as they are since then.
    marks_on: tuple[str, ...] = ()
    #: ``sealed_at`` says whether it had been complete.
    forgotten_at: datetime | None = None
    #: Of a forgotten one: the ids of the devices that have no file of its manifest any more.
    gone_from: tuple[str, ...] = ()
    #: On how many devices each segment is to lie, and how many devices parity is to replace, as its backup asked for.
    copies: int = 1
    parity: int = 0

    @property
    def is_to_be_protected(self) -> bool:
        return self.copies > 1 or self.parity > 0

    @property
    def has_omitted(self) -> bool:
        """Whether it was sealed without some of its segments."""
        return any(lack.omitted_bytes for lack in self.lacks)
