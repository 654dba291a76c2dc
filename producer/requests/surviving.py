"""A check, a rebuild or a repair of what the devices hold."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec import Struct


class CheckRequest(Struct, frozen=True, kw_only=True):
    #: None checks all snapshots.
    snapshot: str | None
    devices: dict[str, Path]
    read_data: bool = False
    #: (n, t): part n of t equal parts of the segments, from 1.  None: all.
    subset: tuple[int, int] | None = None
    #: Share of the segments to read, 0 < share <= 1, or how many stored bytes: those that were read longest ago.
    share: float | None = None
    size_bytes: int | None = None
    #: Look only at what no check has looked at for this long.  None: all, or what an interrupted check has left.
    older_than: timedelta | None = None
    #: Of each device; None: as fast as it is.
    limit_bytes_per_s: int | None = None

    @property
    def is_partial(self) -> bool:
        return (self.subset, self.share, self.size_bytes) != (None, None, None)


class RebuildRequest(Struct, frozen=True, kw_only=True):
    """``accept_damage``: what is damaged on all devices counts as lost, and the catalog may delete there."""

    devices: dict[str, Path]
    accept_damage: bool = False


class RepairRequest(Struct, frozen=True, kw_only=True):
    devices: dict[str, Path]
