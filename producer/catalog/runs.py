"""The history of runs: who ran what, when, and how it ended."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import delete, insert, or_, select, update

from producer.catalog.database import Database
from producer.catalog.rows import JsonObject, RunRow
from producer.catalog.schema import runs
from tasks.errors import CatalogError, InterruptedRun


class Runs(Database):
    def begin_run(self, row: RunRow) -> None:
        """Record a run.  One that was interrupted begins again under its id; any other known id raises CatalogError."""
        interrupted = or_(runs.c.exit_code.is_(None), runs.c.exit_code == InterruptedRun.exit_code)
        with self.transaction():
            self._write(delete(runs).where(runs.c.run_id == row.run_id, interrupted))
            self._write(insert(runs).values(**asdict(row)))

    def end_run(self, run_id: str, exit_code: int, summary: JsonObject, *, snapshot_id: str | None = None) -> None:
        """Note how a run ended; ``snapshot_id`` when it was not known at the beginning."""
        values: JsonObject = {"ended_at": datetime.now(UTC), "exit_code": exit_code, "summary": summary}
        if snapshot_id is not None:
            values["snapshot_id"] = snapshot_id
        if not self._write(update(runs).where(runs.c.run_id == run_id).values(**values)):
            raise CatalogError(f"run {run_id} is not in the catalog")

    def runs(self, volume: str | None = None) -> list[RunRow]:
        """All runs, or those of one volume, newest first."""
        statement = select(runs).order_by(runs.c.started_at.desc(), runs.c.run_id)
        if volume is not None:
            statement = statement.where(runs.c.volume == volume)
        return [RunRow(**row._asdict()) for row in self._read(statement)]
