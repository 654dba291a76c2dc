"""The summary of a run; these are the fields of ``--json`` summaries (docs/cli.md, "JSON lines")."""

from __future__ import annotations

from producer.summaries.backup import BackupSummary, DeviceRisk, DeviceTotals, Incomplete
from producer.summaries.restore import PreviewSummary, RestoreSummary
from producer.summaries.retention import (
    ForgetSummary,
    PrunedTotals,
    PruneSummary,
    RewriteSummary,
    RewrittenSnapshot,
    WaitingTotals,
)
from producer.summaries.schedule import ScheduleSummary, UpkeepSummary, schedule_summary
from producer.summaries.surviving import CheckSummary, RebuildSummary, RepairSummary, SnapshotLoss

__all__ = [
    "BackupSummary",
    "CheckSummary",
    "DeviceRisk",
    "DeviceTotals",
    "ForgetSummary",
    "Incomplete",
    "PreviewSummary",
    "PruneSummary",
    "PrunedTotals",
    "RebuildSummary",
    "RepairSummary",
    "RestoreSummary",
    "RewriteSummary",
    "RewrittenSnapshot",
    "ScheduleSummary",
    "SnapshotLoss",
    "UpkeepSummary",
    "WaitingTotals",
    "schedule_summary",
]
