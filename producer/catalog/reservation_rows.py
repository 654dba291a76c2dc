"""What the catalog gives back of the schedule.  Times are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from producer.catalog.rows import JsonObject

#: What becomes of a run whose time has passed unseen, and of one whose volume is just being backed up.
IfMissed = Literal["catch-up", "skip"]
IfBusy = Literal["queue", "skip"]
#: How the last due time of a reservation ended; "" before the first.
Outcome = Literal["", "running", "done", "partial", "failed", "interrupted", "missed", "skipped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReservationRow:
    """A scheduled backup of a volume."""

    reservation_id: str
    volume: str
    cron: str
    #: IANA name.
    timezone: str
    if_missed: IfMissed
    if_busy: IfBusy
    #: The backup's request, as ``BackupRequest.to_json`` gives it.
    request: JsonObject
    created_at: datetime
    next_due: datetime
    #: Since when the run that is due waits for its volume.
    queued_at: datetime | None = None
    #: The due time that was claimed last, and what came of it.
    last_due: datetime | None = None
    last_ended_at: datetime | None = None
    last_outcome: Outcome = ""
    last_message: str = ""
    #: The id of the OwnerRow that runs it, or ran it last.
    owner: str = ""
    #: Who alone is to run it: this manager, or whoever is on this host; "": anybody.
    manager: str = ""
    host: str = ""
