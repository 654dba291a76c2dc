"""How a run reports what it is doing, to a person or a script.

The run calls; the command line draws bars or prints JSON lines.  All calls come from the run's own
thread, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from msgspec import Struct, field

#: What became of a regular file that is not as it was in the parent; a moved one is unchanged, at another path.
FileChange = Literal["new", "changed", "moved"]

#: Gets each such file, with its path in the snapshot, when that is decided.
OnFile = Callable[[FileChange, str], None]

Phase = Literal["starting", "walking", "planning", "storing", "sealing", "restoring", "checking", "reading", "pruning"]


class DeviceProgress(Struct, frozen=True, kw_only=True):
    """One device within one run.  ``bytes_done`` grows smoothly: it includes segments in progress."""

    bytes_planned: int
    bytes_done: int
    segments_planned: int
    segments_done: int
    state: str


class Progress(Struct, frozen=True, kw_only=True):
    """The whole run at one moment.  Totals are 0 until they are known."""

    phase: Phase
    files_count: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    devices: dict[str, DeviceProgress] = field(default_factory=dict)


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that went wrong without ending the run: a source file, a device, a damaged range."""

    code: str
    message: str
    path: str = ""
    #: Of what a snapshot has lost, or never had: its id, and the name of the device that held it, if one did.
    snapshot_id: str = ""
    device: str = ""


class Observer(Protocol):
    def worker_started(self, device: str, pid: int) -> None: ...

    def note(self, text: str) -> None:
        """One line for the person: a decision, a switch, a device that died."""

    def trouble(self, trouble: Trouble) -> None: ...

    def progress(self, progress: Progress) -> None:
        """Called at most about ten times per second."""
