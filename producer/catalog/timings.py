"""Where the time of a snapshot's backup went: what the receipts of its segments say, summed up."""

from __future__ import annotations

from sqlalchemy import select

from producer.catalog.database import Database
from producer.catalog.rows import TimingTotals
from producer.catalog.schema import segments, snapshots


class Timings(Database):
    def timings(self, snapshot_id: str) -> list[TimingTotals]:
        """The sums for each device, by its name; none for a snapshot that is gone.

        Reads every stored segment of the snapshot once.
        """
        statement = (
            select(segments.c.device, segments.c.size_bytes, segments.c.timing)
            .join(snapshots, snapshots.c.snapshot_key == segments.c.snapshot_key)
            .where(snapshots.c.snapshot_id == snapshot_id, segments.c.state == "stored", segments.c.timing.is_not(None))
        )
        found: dict[str, TimingTotals] = {}
        for row in self._read(statement):
            totals = found.setdefault(row.device, TimingTotals(device=row.device))
            totals.add(row.size_bytes, row.timing)
        return [found[device] for device in sorted(found)]
