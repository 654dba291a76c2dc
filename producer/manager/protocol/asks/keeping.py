"""What is asked of commands that say which snapshots are kept, and delete the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from producer.manager.protocol.asks.bounds import Amount, Count, Name, Patterns, Share, Word


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
class AskPin:
    snapshots: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=1000)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AskTag:
    snapshots: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=1000)]
    add: Patterns = ()
    remove: Patterns = ()
    set: Patterns = ()
