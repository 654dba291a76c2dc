"""How long a run waits before it gives something up.

A module of its own, because every call of the command line imports it: it must load in no time.
"""

from __future__ import annotations

from msgspec import Struct


class Limits(Struct, frozen=True, kw_only=True):
    """The defaults suit disks."""

    #: How long a worker's byte counter may stand still, in addition to the time for its segment's size.
    stall_s: float = 30.0
    #: How long to wait before asking whether a lost device is back.
    rejoin_s: float = 30.0
