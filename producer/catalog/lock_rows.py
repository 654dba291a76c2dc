"""What the catalog gives back of locks and their owners.  Times are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NewOwner:
    """A process that is about to own locks; see :mod:`producer.host.processes` for how it is known."""

    owner_id: str
    host: str
    pid_space: str
    pid: int
    process_start: str
    #: The manager on whose behalf it runs; "" when a person started it.
    manager: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnerRow(NewOwner):
    """A process that owns locks, or that died while it did.  All of it is measured by the database's clock."""

    since: datetime
    #: Its last sign of life, and how long ago that was.
    renewed_at: datetime
    silent_s: float
    beats_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LockRow:
    name: str
    purpose: str
    since: datetime
    owner: OwnerRow
