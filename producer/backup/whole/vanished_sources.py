"""A source of which every file vanished between walk and read is not backed up: workers do not see it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter

from producer.backup.changed_files import store_anew
from producer.backup.intake.intake import Intake
from producer.backup.storing.state.state import BackupState
from producer.catalog.catalog import Catalog
from producer.requests import BackupRequest
from tasks.errors import EmptySourceError

#: Of fewer files all may vanish.
_SUSPECT_COUNT = 10


def refuse_vanished_sources(catalog: Catalog, request: BackupRequest, intake: Intake, state: BackupState) -> None:
    """Raises EmptySourceError for such a source; its segments are planned again, for the run that resumes."""
    if request.allow_empty:
        return
    starts = intake.source_starts
    troubles = catalog.troubles.all(state.snapshot_id)
    gone = {row.entry_index for row in troubles if row.code == "vanished" and row.entry_index is not None}
    for number, count in Counter(bisect_right(starts, entry) - 1 for entry in gone).items():
        first, stop = starts[number], ([*starts, len(intake.walked_sizes)])[number + 1]
        if count >= _SUSPECT_COUNT and count == sum(size > 0 for size in intake.walked_sizes[first:stop]):
            rows = [row for row in catalog.segments.stored(state.snapshot_id) if first <= row.first_entry < stop]
            store_anew(catalog, state, rows)
            source = request.sources[number]
            raise EmptySourceError(
                f"all {count} files of source {source.name} ({source.path}) vanished before they were read",
                hint="is it mounted where the workers run?  Run the same command again then",
                path=str(source.path),
            )
