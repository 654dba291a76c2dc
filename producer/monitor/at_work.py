"""Which runs without an end are at work, and which were killed, by the processes that hold locks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, Protocol

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.locks import LockRow
from producer.catalog.tables.runs import RunRow
from producer.ownership.verdict import living_locks

Outcome = Literal["running", "done", "partial", "failed", "interrupted"]

#: How far the clocks of hosts, and of a database, that share a catalog may differ.
CLOCKS_DIFFER = timedelta(minutes=10)

_OUTCOMES: dict[int, Outcome] = {0: "done", 3: "partial", 130: "interrupted"}


class Run(Protocol):
    @property
    def owner_host(self) -> str: ...
    @property
    def owner_pid(self) -> int: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def exit_code(self) -> int | None: ...


class Process(Struct, frozen=True, kw_only=True):
    host: str
    pid: int
    since: datetime


def at_work(locks: Iterable[LockRow]) -> frozenset[Process]:
    """``locks``: of owners that live.  Every run holds one from its beginning to its end."""
    owners = (lock.owner for lock in locks)
    return frozenset(Process(host=owner.host, pid=owner.pid, since=owner.since) for owner in owners)


def outcome(run: Run, processes: Iterable[Process]) -> Outcome:
    """How a run ended; one that was killed was interrupted.  ``processes``: those at work."""
    if run.exit_code is not None:
        return _OUTCOMES.get(run.exit_code, "failed")
    return "running" if any(_is_by(run, process) for process in processes) else "interrupted"


def outcomes_of(catalog: Catalog, runs: Iterable[RunRow]) -> dict[str, Outcome]:
    """The id of each run → how it ended, if it has."""
    processes = at_work(living_locks(catalog).values())
    return {run.run_id: outcome(run, processes) for run in runs}


def _is_by(run: Run, process: Process) -> bool:
    """Containers count their processes from 1 again: a process younger than the run only has the same number."""
    is_same = (run.owner_host, run.owner_pid) == (process.host, process.pid)
    return is_same and run.started_at >= process.since - CLOCKS_DIFFER
