"""The summary of a run; these are the fields of ``--json`` summaries (docs/cli.md, "JSON lines")."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.errors import LockedError, SegfleetError
from tasks.metadata import MetadataKind


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceTotals:
    """What a device has stored.  ``new``: this run made a device of an empty folder."""

    segments: int
    bytes_source: int
    bytes_stored: int
    state: str
    new: bool = False
    #: As copies of what other devices hold.
    bytes_copied: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Incomplete:
    """What cannot be restored of a snapshot while a device is away, which it has been ``since`` then (RFC 3339).

    ``lost``: an operator has said that it will not come back.  ``rotating``: it is expected to be away now and then,
    and the snapshot counts as whole.
    """

    device: str
    files: int
    bytes: int
    since: str
    lost: bool = False
    rotating: bool = False
    #: The device is there: what it held of these files was found damaged or missing.
    damaged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceRisk:
    """The files of a snapshot that would not come back whole if a device failed now, and how much only it has."""

    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSummary:
    """``exit_code``: 0 every file can be restored now from the devices that are there, and from rotating devices that
    are away; 3 sealed, but some cannot.

    ``incomplete``: what lies on devices that are away.  ``errors`` counts its files too, but for rotating devices.
    """

    #: None: nothing differs from the parent, and no snapshot was wanted then.
    snapshot_id: str | None
    #: What it was compared with; "" for none.
    parent_id: str
    volume: str
    mode: str
    files: int
    files_new: int
    files_changed: int
    files_unchanged: int
    #: Unchanged, and at another path than before.
    files_moved: int
    #: Than in the last snapshot of the volume; 0 where nothing compares.
    files_fewer: int
    #: Unchanged files of which no device had all any more: stored again, so that older snapshots are whole again too.
    files_healed: int
    bytes_healed: int
    #: All that the snapshot holds.
    bytes_source: int
    #: By this run, as what it has stored.
    bytes_read: int
    bytes_stored: int
    threshold_bytes: int
    segments: int
    segments_rerouted: int
    segments_retried: int
    devices: dict[str, DeviceTotals]
    incomplete: tuple[Incomplete, ...]
    errors: int
    duration_s: float
    exit_code: int
    #: Of what the snapshot needs, on other devices; made by this run, and asked for but not there.
    copies_made: int = 0
    bytes_copied: int = 0
    copies_missing: int = 0
    #: By the name of the device, where anything would be lost with it.
    at_risk: dict[str, DeviceRisk] = field(default_factory=dict)
    #: Files of parity that this run has written, and objects that have less of it than was asked for.
    parity_made: int = 0
    bytes_parity: int = 0
    parity_missing: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreSummary:
    """``exit_code``: 0 all restored; 3 some data could not be restored (each reported as a trouble)."""

    snapshot_id: str
    files: int
    bytes_restored: int
    skipped: int
    errors: int
    duration_s: float
    exit_code: int
    #: Entries restored without what this user may not set, by kind (:data:`tasks.metadata.MetadataKind`).
    not_kept: dict[MetadataKind, int] = field(default_factory=dict)
    #: What older files of the target held already; not part of ``bytes_restored``.
    bytes_reused: int = 0
    #: What ``--delete`` has removed.
    removed: int = 0
    #: What ``--verify`` has read back and found to be what was restored.
    verified_files: int = 0
    verified_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewSummary:
    """What a restore would do, in entries.  ``bytes``: of the files that it would write."""

    snapshot_id: str
    new: int = 0
    replaced: int = 0
    mended: int = 0
    kept: int = 0
    refused: int = 0
    removed: int = 0
    bytes: int
    errors: int
    duration_s: float
    exit_code: int
    dry_run: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class SnapshotLoss:
    """A snapshot that would not come back whole: how many files, and how much of them is gone."""

    snapshot_id: str
    volume: str
    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSummary:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class RebuildSummary:
    """``exit_code``: 0 the catalog knows all that the devices hold; 3 something of it is damaged or away."""

    #: Recorded now, of so many volumes; and those that the catalog had before.
    snapshots: int
    volumes: int
    snapshots_known: int
    segments: int
    errors: int
    duration_s: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ForgetSummary:
    """``exit_code``: 0 all is forgotten that was to be; 11 some of it is in use, and stays.

    ``unfinished``: backups that were interrupted, and stay.
    """

    forgotten: int
    kept: int
    in_use: int
    unfinished: int
    dry_run: bool
    duration_s: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RewrittenSnapshot:
    """``replaces`` is forgotten, and ``snapshot_id`` stands in its place; "" in a dry run."""

    snapshot_id: str
    replaces: str
    volume: str
    entries_removed: int
    files_removed: int
    bytes_removed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RewriteSummary:
    """``exit_code``: 0, also when nothing fits the patterns.  ``unchanged``: the snapshots in which nothing does."""

    rewritten: tuple[RewrittenSnapshot, ...]
    unchanged: int
    dry_run: bool
    duration_s: float
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PrunedTotals:
    """What has gone from a device, or would go.  ``bytes_freed`` of a dry run are of objects alone."""

    objects_deleted: int
    files_deleted: int
    bytes_freed: int
    #: Written anew, of objects that were mostly dead.
    objects_written: int = 0
    bytes_written: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingTotals:
    """What is to go from a device, and stays for now: ``why``."""

    objects: int
    bytes: int
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PruneSummary:
    """``exit_code``: 0 all is gone that could go; 3 some could not be deleted or repacked (each reported as a trouble).

    ``waiting``: device → what waits there, because it is away, append-only or another catalog's.
    """

    bytes_freed: int
    objects_deleted: int
    #: Of manifests.
    files_deleted: int
    devices: dict[str, PrunedTotals]
    waiting: dict[str, WaitingTotals]
    #: What was written anew, of objects that were mostly dead.
    objects_written: int
    bytes_written: int
    #: What no snapshot needs of the objects that are left; None where nobody has looked.
    bytes_unused: int | None
    dry_run: bool
    errors: int
    duration_s: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RepairSummary:
    """``exit_code``: 0 each device has all that it should; 3 something is lacking still, or could not be looked at."""

    snapshots: int
    #: Snapshots of which a device got the manifest.
    manifests_completed: int
    #: Copied from another device or made from parity; and those that are missing or damaged, with no copy elsewhere.
    objects_copied: int
    objects_damaged: int
    errors: int
    duration_s: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UpkeepSummary:
    """A scheduled check or prune; the history has what it found."""

    kind: str
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleSummary:
    """Everything that one ``run-due`` ran.  ``exit_code``: 0 all stored; 3 some in part; 1 some failed."""

    runs: int
    done: int
    partial: int
    failed: int
    #: Locked by another run of the volume or device: they run later or are skipped, as the reservation says.
    locked: int
    duration_s: float
    exit_code: int


def schedule_summary(
    results: Iterable[BackupSummary | UpkeepSummary | SegfleetError], *, duration_s: float
) -> ScheduleSummary:
    """The totals over the runs, successful or failed."""
    results = list(results)
    locked = sum(isinstance(result, LockedError) for result in results)
    failed = sum(isinstance(result, SegfleetError) for result in results) - locked
    partial = sum(not isinstance(result, SegfleetError) and result.exit_code != 0 for result in results)
    return ScheduleSummary(
        runs=len(results),
        done=len(results) - locked - failed - partial,
        partial=partial,
        failed=failed,
        locked=locked,
        duration_s=duration_s,
        exit_code=1 if failed else 3 if partial else 0,
    )
