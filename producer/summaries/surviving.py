"""The summaries of a check, a rebuild and a repair."""

from __future__ import annotations

from msgspec import Struct


class SnapshotLoss(Struct, frozen=True, kw_only=True):
    """A snapshot that would not come back whole: how many files, and how much of them is gone."""

    snapshot_id: str
    volume: str
    files: int
    bytes: int


class CheckSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 clean; 3 some data is damaged or missing (each reported as a trouble).

    ``segments``: those that this check has looked at; ``segments_skipped``: those that others have, lately.
    """

    snapshots: int
    snapshots_damaged: tuple[SnapshotLoss, ...]
    segments: int
    segments_skipped: int
    bytes_read: int
    errors: int
    duration_s: float
    exit_code: int


class RebuildSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 the catalog knows all that the devices hold; 3 something of it is damaged or away."""

    #: Recorded now, of so many volumes; and those that the catalog had before.
    snapshots: int
    volumes: int
    snapshots_known: int
    segments: int
    errors: int
    duration_s: float
    exit_code: int


class RepairSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 each device has all that it should; 3 something is lacking still, or could not be looked at."""

    snapshots: int
    #: Snapshots of which a device got the manifest.
    manifests_completed: int
    #: Files that were read again for what no device had any more, and how much of them was stored.
    files_healed: int
    bytes_healed: int
    #: Copied from another device or made from parity; and those that are missing or damaged, with no copy elsewhere.
    objects_copied: int
    objects_damaged: int
    errors: int
    duration_s: float
    exit_code: int
