"""Where a backup begins to scan before its modules are imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.host.state import StateFolder, open_state
from producer.requests import BackupRequest

if TYPE_CHECKING:
    from producer.walk import EarlyScan


def begin_to_scan(call: Call, request: BackupRequest) -> EarlyScan | None:
    """A scan of the first source; None where something has to be done before anyone looks at it.

    One source at a time: two may lie on one disk.
    """
    first = request.sources[0]
    waits = request.volume in call.hooks() or request.freeze or request.required_mounts or _has_duties(open_state())
    if waits or call.wait_s or first.mode == "raw" or request.mode == "raw":
        return None
    # Imported only here: it would cost each --help 30 ms.
    from producer.walk import EarlyScan, limit_of_environment
    from producer.walk.known import read_known

    known = read_known(open_state().known_file(request.volume))
    return EarlyScan(first, request.exclusions, limit_s=limit_of_environment(), known=known)


def _has_duties(state: StateFolder) -> bool:
    """Whether an earlier run, which was killed, has left commands to be run."""
    folder = state.path / "duties"
    return folder.is_dir() and any(folder.iterdir())
