"""What is asked of commands about devices, schedules, locks and runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from producer.manager.protocol.asks.bounds import Amount, Name, Sources, Word
from producer.manager.protocol.asks.keeping import AskKeeping
from producer.manager.protocol.asks.storing import AskStoring
from tasks.values import HexId


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDevices:
    wait: Amount | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AskDevicesLost:
    """The only word about a device that a master may say: ``move`` and ``replace`` name folders."""

    device: Name


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
