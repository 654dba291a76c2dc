"""What runs besides backups: restores, checks, prunes and the like, by the locks that they hold.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from producer.catalog.tables.locks import LockRow
from producer.ownership.lock_holder import volume_lock
from producer.ownership.readers import read_by


class OtherRun(Struct, frozen=True, kw_only=True):
    #: Such as "restore", "check" or "prune".
    purpose: str
    since: datetime
    #: The snapshots that it reads.
    snapshot_ids: tuple[str, ...]
    #: Process, host and manager, for a person.
    held_by: str


def other_runs(locks: Iterable[LockRow]) -> tuple[OtherRun, ...]:
    """``locks``: of owners that live.  One for each owner that backs nothing up, the oldest first."""
    of_owners: defaultdict[str, list[LockRow]] = defaultdict(list)
    for lock in locks:
        of_owners[lock.owner.owner_id].append(lock)
    found = [_run(held) for held in of_owners.values() if not any(_is_of_volume(lock) for lock in held)]
    return tuple(sorted(found, key=lambda run: (run.since, run.held_by)))


def _is_of_volume(lock: LockRow) -> bool:
    return lock.name.startswith(volume_lock(""))


def _run(held: list[LockRow]) -> OtherRun:
    first = min(held, key=lambda lock: lock.since)
    return OtherRun(
        purpose=first.purpose,
        since=first.since,
        snapshot_ids=tuple(sorted(filter(None, map(read_by, held)))),
        held_by=held_by(first),
    )


def held_by(lock: LockRow) -> str:
    """Process, host and manager, for a person."""
    owner = lock.owner
    return f"pid {owner.pid} on {owner.host}" + (f", manager {owner.manager}" if owner.manager else "")
