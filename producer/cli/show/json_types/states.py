"""What ``status``, ``stats`` and ``history`` print."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from producer.catalog.protection import ProtectionJson, UnprotectedJson
from producer.cli.show.json_types.lists import LockJson, ReservationJson
from producer.manager.presence import RunState
from producer.monitor.at_work import Outcome
from producer.monitor.verdict import Colour, Problem
from producer.summaries import Incomplete


class HealthLine(TypedDict):
    message_type: Literal["health"]
    colour: Colour
    sentence: str
    problems: list[Problem]


class VolumeStateLine(TypedDict):
    """``protection``: of the newest snapshot, where copies or parity were asked for."""

    message_type: Literal["volume"]
    volume: str
    state: str
    phase: str | None
    reason: str
    snapshot_id: str
    segments_stored: int
    segments_failed: int
    segments: int
    bytes_done: int
    bytes_total: int
    bytes_source: int
    incomplete: list[Incomplete]
    last_good: str | None
    next_due: str | None
    last_run: str | None
    last_exit_code: int | None
    lock: LockJson | None
    reservations: list[ReservationJson]
    protection: NotRequired[ProtectionJson]


class DeviceStateLine(TypedDict):
    """``unprotected``: only where a snapshot is to have copies or parity."""

    message_type: Literal["device"]
    name: str
    device_id: str
    state: str
    reason: str
    since: str
    free_bytes: int
    path: str
    site: str
    rotating: bool
    unprotected: NotRequired[UnprotectedJson]


class FreshnessLine(TypedDict):
    message_type: Literal["freshness"]
    fresh: bool
    volumes: int
    reasons: list[str]


class ManagerLine(TypedDict):
    message_type: Literal["manager"]
    name: str
    host: str
    pid: int
    release: str
    wire: int
    volumes: list[str]
    since: str


class AgentLine(TypedDict):
    """A worker of an agent, by its lease."""

    message_type: Literal["agent"]
    device: str
    worker: str
    pid: int
    bytes_moved: int
    beats: int
    order_id: str
    wire: int
    release: str
    shared: bool
    renewals: int
    device_id: str
    epoch: int
    free_bytes: int


class FleetRunLine(TypedDict):
    message_type: Literal["run"]
    run_id: str
    manager: str
    command: str
    words: list[str]
    state: RunState
    started: str
    ended: str
    exit_code: int | None
    reason: str
    snapshot_id: str
    progress: dict[str, Any]


class HeldJson(TypedDict):
    bytes_stored: int
    ratio: float | None
    bytes_unused: int
    unused_share: float


class VolumeSpaceLine(HeldJson):
    message_type: Literal["volume"]
    volume: str
    snapshots: int
    bytes_newest: int
    bytes_source: int


class DeviceSpaceLine(HeldJson):
    message_type: Literal["device"]
    device: str
    device_id: str
    state: str
    snapshots: int
    bytes_source: int


class ParitySpaceLine(TypedDict):
    message_type: Literal["parity"]
    groups: int
    small_groups: int
    objects: int
    bytes_protected: int
    bytes_stored: int
    share: float


class GrowthLine(TypedDict):
    message_type: Literal["growth"]
    volume: str
    snapshot_id: str
    started: str
    bytes_stored: int
    bytes_stored_total: int


class TimingJson(TypedDict):
    """Seconds, summed over all segments and threads."""

    device: str
    segments_count: int
    bytes_source: int
    read_s: float
    compress_s: float
    write_s: float
    sync_s: float
    total_s: float


class RunLine(TypedDict):
    """Figures of the run's summary, or null where its kind has none, or it failed."""

    message_type: Literal["run"]
    run_id: str
    kind: str
    volume: str
    snapshot_id: str | None
    host: str
    started: str
    ended: str | None
    duration_s: float | None
    exit_code: int | None
    outcome: Outcome
    reason: str
    ratio: float | None
    mode: str | None
    files: int | None
    bytes_source: int | None
    bytes_stored: int | None
    bytes_restored: int | None
    bytes_read: int | None
    bytes_freed: int | None
    segments: int | None
    segments_rerouted: int | None
    segments_retried: int | None
    devices: dict[str, Any] | None
    errors: int | None
    strays: dict[str, int] | None
    timing: NotRequired[list[TimingJson]]


class OtherRunLine(TypedDict):
    """What runs besides backups."""

    message_type: Literal["other"]
    purpose: str
    since: str
    snapshot_ids: list[str]
    held_by: str


class ScatteredLine(TypedDict):
    """A file that lies in many small places, and is slow to restore."""

    message_type: Literal["scattered"]
    volume: str
    path: str
    places: int
    bytes: int
