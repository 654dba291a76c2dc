"""The summaries of a restore and of its preview."""

from __future__ import annotations

from msgspec import Struct, field

from tasks.sources.metadata import MetadataKind


class RestoreSummary(Struct, frozen=True, kw_only=True):
    """``exit_code``: 0 all restored; 3 some data could not be restored (each reported as a trouble)."""

    snapshot_id: str
    files: int
    bytes_restored: int
    skipped: int
    errors: int
    duration_s: float
    exit_code: int
    #: Entries restored without what this user may not set, by kind (:data:`tasks.sources.metadata.MetadataKind`).
    not_kept: dict[MetadataKind, int] = field(default_factory=dict)
    #: What older files of the target held already; not part of ``bytes_restored``.
    bytes_reused: int = 0
    #: What ``--delete`` has removed.
    removed: int = 0
    #: What ``--verify`` has read back and found to be what was restored.
    verified_files: int = 0
    verified_bytes: int = 0


class PreviewSummary(Struct, frozen=True, kw_only=True):
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
