"""What a run prints while it works.  Its ``summary`` is of :mod:`producer.summaries`."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from producer.observer import DeviceProgress, FileChange, Phase


class WorkerLine(TypedDict):
    message_type: Literal["worker"]
    device: str
    pid: int


class StatusLine(TypedDict):
    message_type: Literal["status"]
    phase: Phase
    files_count: int
    bytes_total: int
    bytes_done: int
    devices: dict[str, DeviceProgress]


class NoteLine(TypedDict):
    """One line for the person; on standard error too."""

    message_type: Literal["note"]
    message: str


class ErrorLine(TypedDict):
    """``code``: docs/cli.md, "Error codes".  ``path``: "" where none is concerned."""

    message_type: Literal["error"]
    code: str
    message: str
    path: str
    hint: NotRequired[str]
    snapshot_id: NotRequired[str]
    device: NotRequired[str]


class FileLine(TypedDict):
    """With ``--verbose``."""

    message_type: Literal["file"]
    change: FileChange
    path: str


class DetachedLine(TypedDict):
    """With ``--detach``."""

    message_type: Literal["run"]
    run_id: str
    manager: str


class DueLine(TypedDict):
    message_type: Literal["due"]
    reservation_id: str
    volume: str
    due: str


class PlannedEntryLine(TypedDict):
    """What a restore would do with an entry."""

    message_type: Literal["entry"]
    action: Literal["new", "replaced", "mended", "kept", "removed", "refused"]
    path: str
    kind: str
    size_bytes: int
