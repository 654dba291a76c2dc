"""What the user asks for, once the command line and the configuration are read."""

from __future__ import annotations

from producer.requests.backup import BackupRequest, Exclusions, PlanOptions, Source, is_same_backup
from producer.requests.restore import UNNAMED_TARGET, RestoreRequest
from producer.requests.retention import (
    DEFAULT_LIMITS,
    UNLIMITED_COUNT,
    PruneRequest,
    RepackLimits,
    Retention,
    RewriteRequest,
)
from producer.requests.surviving import CheckRequest, RebuildRequest, RepairRequest

__all__ = [
    "DEFAULT_LIMITS",
    "UNLIMITED_COUNT",
    "UNNAMED_TARGET",
    "BackupRequest",
    "CheckRequest",
    "Exclusions",
    "PlanOptions",
    "PruneRequest",
    "RebuildRequest",
    "RepackLimits",
    "RepairRequest",
    "RestoreRequest",
    "Retention",
    "RewriteRequest",
    "Source",
    "is_same_backup",
]
