"""Which objects each command prints with ``--json``; ``segfleet schema`` makes JSON Schemas of them."""

from __future__ import annotations

from collections.abc import Mapping

from producer.cli.show.json_types import lists, plans, runs, states
from producer.summaries import (
    BackupSummary,
    CheckSummary,
    ForgetSummary,
    PreviewSummary,
    PruneSummary,
    RebuildSummary,
    RepairSummary,
    RestoreSummary,
    RewriteSummary,
    RewrittenSnapshot,
    ScheduleSummary,
)

#: Of every command: how it failed.
ERROR = runs.ErrorLine

_RUN: tuple[type, ...] = (runs.WorkerLine, runs.StatusLine, runs.NoteLine, runs.DetachedLine)
_BACKUP = (*_RUN, runs.FileLine, BackupSummary)
_PLAN = (plans.SegmentLine, plans.PlanSummaryLine)

#: Command → types of its lines; a summary gets ``message_type`` when it is printed.
LINES: Mapping[str, tuple[type, ...]] = {
    "backup": (*_BACKUP, *_PLAN),
    "check": (*_RUN, CheckSummary),
    "config": (lists.FindingLine, lists.SettingLine),
    "devices": (lists.DeviceLine, lists.AtRiskLine, runs.NoteLine, runs.WorkerLine),
    "diff": (lists.ChangeLine,),
    "find": (lists.EntryLine,),
    "forget": (lists.VerdictLine, ForgetSummary, *_RUN, PruneSummary),
    "history": (states.RunLine,),
    "init": (lists.ConfigurationLine,),
    "log": (lists.LogLine,),
    "ls": (lists.EntryLine,),
    "pin": (lists.MarkedLine,),
    "plan": (*_RUN, *_PLAN),
    "prune": (*_RUN, PruneSummary),
    "rebuild": (*_RUN, RebuildSummary),
    "repair": (*_RUN, RepairSummary),
    "restore": (*_RUN, RestoreSummary, runs.PlannedEntryLine, PreviewSummary),
    "resume": _BACKUP,
    "retry": _BACKUP,
    "rewrite": (*_RUN, RewrittenSnapshot, RewriteSummary),
    "schedule": (
        *(lists.ReservationLine, lists.AddedReservationLine, runs.DueLine, *_BACKUP),
        *(lists.VerdictLine, CheckSummary, PruneSummary, ScheduleSummary),
    ),
    "snapshots": (lists.SnapshotLine,),
    "stats": (
        *(states.VolumeSpaceLine, states.DeviceSpaceLine, states.ParitySpaceLine),
        *(states.GrowthLine, states.ScatteredLine),
    ),
    "status": (
        *(states.HealthLine, states.VolumeStateLine, states.DeviceStateLine, states.OtherRunLine, lists.UpkeepLine),
        *(states.FreshnessLine, states.ManagerLine, states.AgentLine, states.FleetRunLine, runs.StatusLine),
    ),
    "tag": (lists.MarkedLine,),
    "unlock": (lists.LockLine,),
    "unpin": (lists.MarkedLine,),
}
