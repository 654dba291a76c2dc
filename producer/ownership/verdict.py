"""Whether the owner of a lock lives.  Decided by what the catalog and, for owners in reach, the kernel say."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Literal

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.catalog.tables.owners import OwnerRow
from producer.host.processes import is_running, pid_space

#: How often an owner is renewed.
RENEW_S = 5.0

#: An owner out of reach that has missed three renewals is suspect.
SUSPECT_S = 15.0

#: An owner out of reach is gone after twelve missed renewals.  That is longer than a database takes to restart, and
#: than a virtual machine stands still while it is moved.  If the owner lives all the same, it finds its locks taken
#: and writes nothing more.
GONE_S = 60.0

Verdict = Literal["alive", "suspect", "gone"]


def verdict(
    owner: OwnerRow, *, manager: str = "", here: str = "", running: Callable[[int, str], bool] = is_running
) -> Verdict:
    """For an owner in the same pid space the kernel knows; for others the last renewal decides.

    ``manager`` is the one that asks.  Only one manager has a name at a time, and its runs die with it, so another run
    of that name is suspect at once, and gone after SUSPECT_S.  ``here`` replaces this process's pid space.
    """
    if owner.pid_space == (here or pid_space()) != "":
        return "alive" if running(owner.pid, owner.process_start) else "gone"
    is_ours = bool(manager) and owner.manager == manager
    if owner.silent_s >= (SUSPECT_S if is_ours else GONE_S):
        return "gone"
    return "suspect" if is_ours or owner.silent_s >= SUSPECT_S else "alive"


def living_locks(catalog: Catalog) -> dict[str, LockRow]:
    """Name → lock, of those whose owners are not gone."""
    return {lock.name: lock for lock in catalog.locks.all() if verdict(lock.owner) != "gone"}


def living_owners(catalog: Catalog) -> set[str]:
    """The ids of the owners that are not gone."""
    return {owner.owner_id for owner in catalog.owners.all() if verdict(owner) != "gone"}


def in_words(lock: LockRow) -> str:
    """Who holds the lock, and what for."""
    owner = lock.owner
    manager = f", manager {owner.manager}" if owner.manager else ""
    since = f"{lock.since.astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{lock.purpose} (pid {owner.pid} on {owner.host}{manager}, since {since})"


def what_to_do(lock: LockRow) -> str:
    """The hint for anyone who finds the lock taken."""
    if lock.owner.pid_space == pid_space() != "":
        return "wait for the other run to end (--wait TIME), or end it"
    there = f"on {lock.owner.host}" if lock.owner.host != platform.node() else "where it runs"
    return f"wait for it to end (--wait TIME), or end it {there}; if it is gone, the lock is free after {GONE_S:.0f} s"
