"""What a run tells when it has ended; the fields of ``--json`` summaries (design, section 6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceTotals:
    segments: int
    bytes_source: int
    bytes_stored: int
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupSummary:
    """``exit_code``: 0 all stored; 3 sealed, but some source files are missing or changed."""

    snapshot_id: str
    volume: str
    mode: str
    files: int
    bytes_source: int
    bytes_stored: int
    threshold_bytes: int
    segments: int
    segments_rerouted: int
    segments_retried: int
    devices: dict[str, DeviceTotals]
    errors: int
    duration_s: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreSummary:
    """``exit_code``: 0 all back; 3 some data could not be restored (each told as a trouble)."""

    snapshot_id: str
    files: int
    bytes_restored: int
    skipped: int
    errors: int
    duration_s: float
    exit_code: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckSummary:
    """``exit_code``: 0 clean; 3 some data is damaged or missing (each told as a trouble)."""

    snapshots: int
    segments: int
    bytes_read: int
    errors: int
    duration_s: float
    exit_code: int
