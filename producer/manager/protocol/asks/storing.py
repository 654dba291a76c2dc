"""What is asked of commands that make a snapshot, or plan one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from producer.manager.protocol.asks.bounds import Amount, MountPoints, Name, Number, Patterns, Sources, Text, Word


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
