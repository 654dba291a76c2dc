"""How long a manager waits before it gives something up.  Light: the command line reads it on every call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The defaults suit disks; tests and tapes differ."""

    #: Patience with a worker whose byte counter stands still, beside the time for its segment's size.
    stall_s: float = 30.0
    #: How long a lost device is left alone before it is asked whether it is back.
    rejoin_s: float = 30.0
