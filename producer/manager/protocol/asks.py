"""What a master may ask of a manager: one class for each command, a closed set of fields with bounds.

No command line travels.  The manager builds its own call from these values (``calls.py``), with its own configuration,
targets and paths.  A command without a row in ``ASKS`` cannot be asked for.  No field names a file or folder of the
manager's host, except sources, which must lie below a configured one, and mount points, of which it says only whether
something is mounted there.

Options have the name of the command's long option.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from tasks.orders import Overwrite
from tasks.values import HexId

#: What stands behind "--" in the call.  It begins with no "-" all the same: two guards are better than one.
Word = Annotated[str, Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-][^\x00]*$")]
Text = Annotated[str, Meta(max_length=4096, pattern=r"^[^\x00]*$")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
#: A size or a share.  What it means, and whether it fits, the command checks.
Amount = Annotated[str, Meta(max_length=40, pattern=r"^[0-9][0-9A-Za-z./% ]*$")]
#: As an amount, or all.
Share = Annotated[str, Meta(max_length=40, pattern=r"^([0-9][0-9A-Za-z./% ]*|unlimited)$")]
#: How many snapshots to keep.
Count = Annotated[str, Meta(pattern=r"^([0-9]{1,9}|unlimited)$")]
Number = Annotated[int, Meta(ge=-(2**31), le=2**63 - 1)]

Sources = Annotated[tuple[Word, ...], Meta(max_length=256)]
#: With 4,096 characters each they still fit into one message (:mod:`producer.manager.mailbox`).
Patterns = Annotated[tuple[Text, ...], Meta(max_length=1000)]
#: Absolute: a master does not know the manager's working folder.
MountPoints = Annotated[tuple[Annotated[str, Meta(max_length=4096, pattern=r"^/[^\x00]*$")], ...], Meta(max_length=64)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStoring:
    """The options of what makes a snapshot, now or later.  None and False: not given, the manager's defaults hold."""

    split: Literal["threshold", "remaining"] | None = None
    order: Literal["descending", "ascending"] | None = None
    balance: Literal["run", "free", "weight"] | None = None
    bundle: Literal["on", "off"] | None = None
    reserve: Amount | None = None
    segment_size: Amount | None = None
    unit_size: Amount | None = None
    level: Number | None = None
    threads: Number | None = None
    readers: Number | None = None
    nice: Number | None = None
    retries: Number | None = None
    exclude: Patterns = ()
    iexclude: Patterns = ()
    exclude_larger_than: Amount | None = None
    exclude_nodump: bool = False
    exclude_caches: bool = False
    exclude_if_present: Patterns = ()
    ignore_file: Patterns = ()
    one_file_system: bool = False
    require_mount: MountPoints = ()
    ignore_ctime: bool = False
    ignore_inode: bool = False
    allow_empty: bool = False
    no_xattrs: bool = False
    mode: Literal["auto", "files", "raw"] | None = None
    raw_above: Number | None = None
    expect_ratio: Amount | None = None
    new_devices: bool | None = None
    all_blocks: bool = False
    freeze: bool = False
    tag: Patterns = ()
    skip_if_unchanged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPlanning(AskStoring):
    #: Empty: those of the volume.
    sources: Sources = ()
    volume: Name | None = None
    parent: Word | None = None
    force: bool = False
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskBackup(AskPlanning):
    description: Text | None = None
    #: Name each file that is new, changed or moved.
    verbose: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPlan(AskPlanning):
    #: "-" prints the drawing; a manager writes no file for a master.
    svg: Literal["-"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskResume:
    snapshot: Word | None = None
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskRestore:
    snapshot: Word
    #: The name of a ``[targets.NAME]``: a master names no folder.
    target: Annotated[str, Meta(max_length=255, pattern=r"^[^/\x00.-][^/\x00]*$")]
    include: Patterns = ()
    exclude: Patterns = ()
    overwrite: Overwrite | None = None
    threads: Number | None = None
    nice: Number | None = None
    skip_damaged: bool = False
    wait: Amount | None = None
    numeric_ids: bool = False
    delete: bool = False
    sparse: bool = False
    verify: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskCheck:
    snapshot: Word | None = None
    read_data: bool = False
    read_data_subset: Amount | None = None
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True)
class AskKeeping:
    """The options that say which snapshots are kept.  Without slots: one class has other options beside them."""

    keep_last: Count | None = None
    keep_hourly: Count | None = None
    keep_daily: Count | None = None
    keep_weekly: Count | None = None
    keep_monthly: Count | None = None
    keep_yearly: Count | None = None
    keep_within: Amount | None = None
    keep_within_hourly: Amount | None = None
    keep_within_daily: Amount | None = None
    keep_within_weekly: Amount | None = None
    keep_within_monthly: Amount | None = None
    keep_within_yearly: Amount | None = None
    keep_tag: Patterns = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AskForget(AskKeeping):
    snapshots: Annotated[tuple[Word, ...], Meta(max_length=1000)] = ()
    volume: Name | None = None
    dry_run: bool = False
    unsafe_allow_remove_all: bool = False
    prune: bool = False
    quiet: bool = False
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPrune:
    max_unused: Share | None = None
    max_repack_size: Amount | None = None
    dry_run: bool = False
    quiet: bool = False
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskRewrite:
    snapshots: Annotated[tuple[Word, ...], Meta(max_length=1000)] = ()
    volume: Name | None = None
    exclude: Patterns = ()
    iexclude: Patterns = ()
    dry_run: bool = False
    quiet: bool = False
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStats:
    volume: Name | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskPin:
    snapshots: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AskTag:
    snapshots: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=1000)]
    add: Patterns = ()
    remove: Patterns = ()
    set: Patterns = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AskNothing:
    """A command that takes no words and no options."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskSnapshots:
    volume: Name | None = None
    tag: Patterns = ()
    last: Number | None = None
    since: Text | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskLog:
    #: A run, or a volume.
    run: Name | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStatus:
    #: The volume of ``max_age``.
    name: Name | None = None
    max_age: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDevices:
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDevicesLost:
    """The only word about a device that a master may say: ``move`` and ``replace`` name folders."""

    device: Name


@dataclass(frozen=True, kw_only=True, slots=True)
class AskEntries:
    """The options that choose entries, and show them."""

    type: Patterns = ()
    size: Patterns = ()
    oldest: Text | None = None
    newest: Text | None = None
    long: bool = False
    human_readable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskLs(AskEntries):
    snapshot: Word
    path: Text | None = None
    recursive: bool = False
    include: Patterns = ()
    exclude: Patterns = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class AskFind(AskEntries):
    pattern: Word
    snapshot: Word | None = None
    ignore_case: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDiff:
    before: Word
    after: Word
    metadata: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDump:
    snapshot: Word
    path: Text | None = None
    zip: bool = False
    threads: Number | None = None
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskHistory:
    volume: Name | None = None
    keep: Amount | None = None
    last: Number | None = None
    since: Text | None = None
    failed: bool = False
    timing: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskScheduleAdd(AskStoring, AskKeeping):
    prune: bool = False
    check: bool = False
    read_data: bool = False
    read_data_subset: Amount | None = None
    #: None: a check or a prune of all.
    volume: Name | None = None
    cron: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00-\x1f-][^\x00-\x1f]*$")]
    sources: Sources = ()
    tz: Annotated[str, Meta(max_length=100, pattern=r"^[A-Za-z0-9_+/-]*$")] | None = None
    #: False is ``--skip-missed``; None leaves the default.
    catch_up: bool | None = None
    overlap: Literal["queue", "skip"] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskScheduleRemove:
    name: Word


@dataclass(frozen=True, kw_only=True, slots=True)
class AskUnlock:
    volumes: Annotated[tuple[Name, ...], Meta(max_length=256)] = ()
    list: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AskStop:
    """Ends a run that was asked for before."""

    run_id: HexId


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
