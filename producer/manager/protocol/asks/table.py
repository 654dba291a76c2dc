"""What a master may ask of a manager: the table of its commands, each with the class of its words and options.

No command line travels.  The manager builds its own call from these values (``calls.py``), with its own configuration,
targets and paths.  A command without a row in ``ASKS`` cannot be asked for.  No field names a file or folder of the
manager's host, except sources, which must lie below a configured one, and mount points, of which it says only whether
something is mounted there.

Fields have the names of the command's long options.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from producer.manager.protocol.asks.keeping import AskForget, AskPin, AskPrune, AskRewrite, AskTag
from producer.manager.protocol.asks.looking import (
    AskDiff,
    AskFind,
    AskHistory,
    AskLog,
    AskLs,
    AskSnapshots,
    AskStats,
    AskStatus,
)
from producer.manager.protocol.asks.managing import (
    AskDevices,
    AskDevicesLost,
    AskScheduleAdd,
    AskScheduleRemove,
    AskStop,
    AskUnlock,
)
from producer.manager.protocol.asks.restoring import AskCheck, AskDump, AskRestore
from producer.manager.protocol.asks.storing import AskBackup, AskPlan, AskResume


@dataclass(frozen=True, kw_only=True, slots=True)
class AskNothing:
    """A command that takes no words and no options."""


Ask = (
    AskBackup
    | AskPlan
    | AskResume
    | AskRestore
    | AskCheck
    | AskForget
    | AskPrune
    | AskRewrite
    | AskPin
    | AskStats
    | AskTag
    | AskNothing
    | AskSnapshots
    | AskStatus
    | AskLog
    | AskDevices
    | AskDevicesLost
    | AskLs
    | AskFind
    | AskDiff
    | AskDump
    | AskHistory
    | AskScheduleAdd
    | AskScheduleRemove
    | AskUnlock
    | AskStop
)

STOP = "stop"

#: Its output is passed on as it is, as that of a plan.
DRY_RESTORE = "restore --dry-run"

ASKS: Mapping[str, type[Ask]] = {
    "backup": AskBackup,
    "plan": AskPlan,
    "resume": AskResume,
    "retry": AskResume,
    "restore": AskRestore,
    DRY_RESTORE: AskRestore,
    "check": AskCheck,
    "forget": AskForget,
    "prune": AskPrune,
    "rewrite": AskRewrite,
    "pin": AskPin,
    "unpin": AskPin,
    "tag": AskTag,
    "snapshots": AskSnapshots,
    "ls": AskLs,
    "find": AskFind,
    "diff": AskDiff,
    "dump": AskDump,
    "devices list": AskDevices,
    "devices lost": AskDevicesLost,
    "stats": AskStats,
    "status": AskStatus,
    "log": AskLog,
    "history": AskHistory,
    "schedule add": AskScheduleAdd,
    "schedule list": AskNothing,
    "schedule remove": AskScheduleRemove,
    "schedule run-due": AskNothing,
    "unlock": AskUnlock,
    STOP: AskStop,
}

#: Commands that report their progress, and end with a summary.  What others print is passed on as it is.
RUNS = frozenset({"backup", "resume", "retry", "restore", "check"})

#: Runs that may be begun again after a manager's death: they store nothing twice.
RESUMABLE = frozenset({"backup", "resume", "retry"})
