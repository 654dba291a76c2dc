"""The history of runs: who ran what, when, and how it ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from itertools import takewhile
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, delete, func, insert, or_, select, update

from producer.catalog.columns import JsonObject
from producer.catalog.database.database import Database
from producer.catalog.schema import runs
from tasks.errors import CatalogError, InterruptedRun

#: How many runs the history keeps unless configured otherwise: more than one each hour for a year.
HISTORY_COUNT = 10_000

#: Of runs that did all that they could.
_DONE_CODES = (0, 3)

#: Nobody interrupts a run more often in a row.
_UNFINISHED_COUNT = 100

RunKind = Literal["backup", "restore", "check", "forget", "prune", "rewrite"]


class RunRow(Struct, frozen=True, kw_only=True):
    """One run.  ``ended_at`` and ``exit_code`` are None while it runs, or when it was killed."""

    run_id: str
    kind: RunKind
    snapshot_id: str | None
    volume: str
    owner_host: str
    owner_pid: int
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    summary: JsonObject | None


class StoredOnDevice(msgspec.Struct, frozen=True, gc=False):
    bytes_stored: int = 0


class RunFigures(msgspec.Struct, frozen=True):
    """What lists show of a run's summary; None, 0 or "" where a run of its kind has no such figure."""

    files: int | None = None
    bytes_stored: int | None = None
    bytes_restored: int | None = None
    bytes_read: int | None = None
    errors: int = 0
    error: str = ""
    devices: dict[str, StoredOnDevice] = {}


NO_FIGURES = RunFigures()
_READ_FIGURES = msgspec.json.Decoder(RunFigures)


class BriefRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with little of its summary: ten thousand are read in a fraction of a second."""

    run_id: str
    kind: RunKind
    volume: str
    owner_host: str
    owner_pid: int
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    figures: RunFigures


#: Not by their times: a clock that was set back would hide all runs until it is where it was.
_NEWEST_FIRST = (runs.c.position.desc(), runs.c.run_id)
_NEXT = select(func.coalesce(func.max(runs.c.position), 0) + 1).scalar_subquery()

#: The columns of RunRow.
_COLUMNS = [column for column in runs.c if column.name != "position"]

#: The columns of BriefRun; the summary as it is written.
_BRIEF = select(
    runs.c.run_id,
    runs.c.kind,
    runs.c.volume,
    runs.c.owner_host,
    runs.c.owner_pid,
    runs.c.started_at,
    runs.c.ended_at,
    runs.c.exit_code,
    cast(runs.c.summary, Text),
)


class Runs:
    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, row: RunRow) -> None:
        """Record a run.  One that was interrupted begins again under its id; one that has ended raises CatalogError."""
        interrupted = or_(runs.c.exit_code.is_(None), runs.c.exit_code == InterruptedRun.exit_code)
        with self._database.transaction():
            self._database.write(delete(runs).where(runs.c.run_id == row.run_id, interrupted))
            if (code := self.exit_code(row.run_id)) is not None:
                raise CatalogError(f"run {row.run_id[:8]} has ended already, with exit code {code}", hint="")
            self._database.write(insert(runs).values(**asdict(row), position=_NEXT))
            self._keep_newest(HISTORY_COUNT)

    def end(self, run_id: str, exit_code: int, summary: JsonObject, *, snapshot_id: str | None = None) -> None:
        """Record how a run ended; ``snapshot_id`` when it was not known at the beginning."""
        values: JsonObject = {"ended_at": datetime.now(UTC), "exit_code": exit_code, "summary": summary}
        if snapshot_id is not None:
            values["snapshot_id"] = snapshot_id
        if not self._database.write(update(runs).where(runs.c.run_id == run_id).values(**values)):
            raise CatalogError(f"run {run_id} is not in the catalog")

    def trim(self, before: datetime, volume: str | None = None) -> int:
        """Remove the runs that began ``before``, of one volume if given; returns how many.

        The newest of each kind of each volume stays: it is part of the volume's state.
        """
        old = runs.c.started_at < before
        return self._remove(old if volume is None else and_(old, runs.c.volume == volume))

    def _keep_newest(self, limit_count: int) -> None:
        newest_first = select(runs.c.position).order_by(runs.c.position.desc())
        oldest_kept = self._database.read_one(newest_first.offset(limit_count - 1).limit(1))
        if oldest_kept is not None:
            self._remove(runs.c.position < oldest_kept.position)

    def _remove(self, old: ColumnElement[bool]) -> int:
        newest = select(func.max(runs.c.position)).group_by(runs.c.volume, runs.c.kind)
        return self._database.write(delete(runs).where(old, runs.c.position.not_in(newest)))

    def exit_code(self, run_id: str) -> int | None:
        """How the run ended; None for one that runs, was killed, or is unknown."""
        row = self._database.read_one(select(runs.c.exit_code).where(runs.c.run_id == run_id))
        return row.exit_code if row is not None else None

    def all(self, volume: str | None = None) -> list[RunRow]:
        """All runs, or those of one volume, newest first."""
        statement = select(*_COLUMNS).order_by(*_NEWEST_FIRST)
        if volume is not None:
            statement = statement.where(runs.c.volume == volume)
        return [RunRow(**row._asdict()) for row in self._database.read(statement)]

    def since(self, moment: datetime) -> list[RunRow]:
        """The runs that began at ``moment`` or later, newest first."""
        statement = select(*_COLUMNS).where(runs.c.started_at >= moment)
        rows = self._database.read(statement.order_by(*_NEWEST_FIRST))
        return [RunRow(**row._asdict()) for row in rows]

    def changed_since(self, moment: datetime) -> list[BriefRun]:
        """The runs that began or ended at ``moment`` or later; reads no other row."""
        return self._brief(_BRIEF.where(or_(runs.c.started_at >= moment, runs.c.ended_at >= moment)))

    def last(self, count: int) -> list[BriefRun]:
        """The newest runs, newest first."""
        return self._brief(_BRIEF.order_by(*_NEWEST_FIRST).limit(count))

    def _brief(self, statement: Select[Any]) -> list[BriefRun]:
        return [_brief_run(row) for row in self._database.read(statement)]

    def count_since(self, moment: datetime) -> int:
        """How many runs began at ``moment`` or later."""
        row = self._database.read_one(select(func.count()).where(runs.c.started_at >= moment))
        return row[0] if row is not None else 0

    def ids_between(self, first: datetime, end: datetime) -> set[str]:
        """The ids of the runs that began at ``first`` or later, and before ``end``."""
        statement = select(runs.c.run_id).where(runs.c.started_at >= first, runs.c.started_at < end)
        return {row.run_id for row in self._database.read(statement)}

    def newest(self, kind: RunKind, volume: str) -> RunRow | None:
        """The newest run of this kind of a volume that has ended."""
        wanted = (runs.c.kind == kind, runs.c.volume == volume, runs.c.exit_code.is_not(None))
        statement = select(*_COLUMNS).where(*wanted).order_by(*_NEWEST_FIRST).limit(1)
        row = self._database.read_one(statement)
        return None if row is None else RunRow(**row._asdict())

    def unfinished_since(self, kind: RunKind, *, but: str = "") -> datetime | None:
        """When the runs of this kind began of which none was done: the first of those after the last that was.

        ``but``: a run that does not count.  None where the last one was done.
        """
        statement = select(runs.c.started_at, runs.c.exit_code).where(runs.c.kind == kind, runs.c.run_id != but)
        rows = self._database.read(statement.order_by(*_NEWEST_FIRST).limit(_UNFINISHED_COUNT))
        unfinished = list(takewhile(lambda row: row.exit_code not in _DONE_CODES, rows))
        return unfinished[-1].started_at if unfinished else None

    def newest_of_each_volume(self, kind: RunKind) -> dict[str, RunRow]:
        """Volume → its newest run of this kind; reads no other row of the history."""
        return {row.volume: RunRow(**row._asdict()) for row in self._database.read(_newest_of_each_volume(kind))}


def _brief_run(row: Row[Any]) -> BriefRun:
    run_id, kind, volume, host, pid, started_at, ended_at, exit_code, summary = tuple(row)
    return BriefRun(
        run_id=run_id,
        kind=kind,
        volume=volume,
        owner_host=host,
        owner_pid=pid,
        started_at=started_at,
        ended_at=ended_at,
        exit_code=exit_code,
        figures=figures_of(summary) if summary else NO_FIGURES,
    )


def figures_of(summary: str) -> RunFigures:
    """Of a summary as JSON; of one that is not as runs write it, none."""
    try:
        # Half of a surrogate pair stands for a byte that is not UTF-8, and msgspec does not read it.
        if "\\ud" in summary:
            return msgspec.convert(json.loads(summary), RunFigures)
        return _READ_FIGURES.decode(summary)
    except msgspec.ValidationError:
        return NO_FIGURES


@cache
def _newest_of_each_volume(kind: RunKind) -> Select[Any]:
    """Finds each volume, and then its newest run, by one look into the index; NULL stands behind the last volume."""
    first = select(func.min(runs.c.volume).label("volume")).where(runs.c.kind == kind)
    found = first.cte("volumes", recursive=True)
    after = select(func.min(runs.c.volume)).where(runs.c.kind == kind, runs.c.volume > found.c.volume)
    volumes = found.union_all(select(after.correlate(found).scalar_subquery()).where(found.c.volume.is_not(None)))
    # Of two that took the same position the first by id counts, as in all().
    newest = (
        select(runs.c.run_id)
        .where(runs.c.kind == kind, runs.c.volume == volumes.c.volume)
        .order_by(*_NEWEST_FIRST)
        .limit(1)
        .correlate(volumes)
        .scalar_subquery()
    )
    return select(*_COLUMNS).join(volumes, runs.c.run_id == newest)
