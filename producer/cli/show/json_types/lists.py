"""What lists print, one object a row."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from producer.catalog.protection import ProtectionJson, UnprotectedJson
from producer.catalog.tables.snapshots.rows import SourceRow
from producer.summaries import Incomplete


class SnapshotLine(TypedDict):
    """``protection``: only where copies or parity were asked for."""

    message_type: Literal["snapshot"]
    snapshot_id: str
    volume: str
    pool_id: str
    mode: str
    hostname: str
    tags: list[str]
    pinned: bool
    description: str
    sources: list[SourceRow]
    started: str
    sealed: str | None
    files: int
    bytes_source: int
    bytes_stored: int
    threshold_bytes: int
    segments: int
    incomplete: list[Incomplete]
    protection: NotRequired[ProtectionJson]


class MarkedLine(TypedDict):
    message_type: Literal["snapshot"]
    snapshot_id: str
    volume: str
    tags: list[str]
    pinned: bool


class EntryLine(TypedDict):
    """``snapshot_id``: of ``find``.  ``link``: the target of a link; not of files inside an image."""

    message_type: Literal["entry"]
    snapshot_id: NotRequired[str]
    path: str
    kind: str
    mode: str
    uid: int
    gid: int
    mtime: str
    size_bytes: int
    link: NotRequired[str]


class ChangeLine(TypedDict):
    """``change``: "+" added, "-" removed, "M" content, "T" type, "U" metadata alone."""

    message_type: Literal["change"]
    change: Literal["+", "-", "M", "T", "U"]
    path: str


class AtRiskJson(TypedDict):
    snapshots: int
    files: int
    bytes: int


class DeviceLine(TypedDict):
    """``unprotected``: only where a snapshot is to have copies or parity."""

    message_type: Literal["device"]
    name: str
    device_id: str
    pool_id: str
    state: str
    reason: str
    since: str
    capacity_bytes: int
    free_bytes: int
    path: str
    site: str
    rotating: bool
    at_risk: NotRequired[AtRiskJson]
    unprotected: NotRequired[UnprotectedJson]


class AtRiskLine(TypedDict):
    """A file of which only this device has all."""

    message_type: Literal["at_risk"]
    device: str
    snapshot_id: str
    path: str


class VerdictLine(TypedDict):
    message_type: Literal["verdict"]
    snapshot_id: str
    volume: str
    pool_id: str
    started: str
    tags: list[str]
    pinned: bool
    verdict: Literal["keep", "forget", "unfinished"]
    reasons: list[str]


class LockJson(TypedDict):
    name: str
    purpose: str
    host: str
    pid: int
    manager: str
    since: str
    renewed: str


class LockLine(LockJson):
    message_type: Literal["lock"]
    owner: Literal["alive", "suspect", "gone"]
    removed: bool


class ReservationJson(TypedDict):
    reservation_id: str
    volume: str
    kind: str
    schedule: str
    cron: str
    timezone: str
    if_missed: str
    if_busy: str
    next_due: str
    queued: str | None
    last_due: str | None
    last_ended: str | None
    last_outcome: str
    last_message: str
    manager: str
    host: str


class UpkeepLine(ReservationJson):
    """A scheduled check or prune, of ``status``."""

    message_type: Literal["reservation"]


class ReservationLine(ReservationJson):
    message_type: Literal["reservation"]
    request: dict[str, Any]


class AddedReservationLine(TypedDict):
    message_type: Literal["reservation"]
    reservation_id: str
    volume: str
    kind: str
    next_due: str


class LogLine(TypedDict):
    message_type: Literal["log"]
    run_id: str
    kind: str
    volume: str
    lines: list[str]


class FindingLine(TypedDict):
    message_type: Literal["finding"]
    level: Literal["error", "warning"]
    file: str
    line: int
    message: str


class ConfigurationLine(TypedDict):
    message_type: Literal["configuration"]
    file: str
    volume: str


#: A word of Python is the name of a field.
SettingLine = TypedDict("SettingLine", {"message_type": Literal["setting"], "key": str, "value": Any, "from": str})
