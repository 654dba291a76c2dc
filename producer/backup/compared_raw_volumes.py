"""Compares the raw volumes of a backup with what the devices hold of them: what is stored, what is referred to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from producer.backup.intake import Intake
from producer.backup.storing.ids import segment_id
from producer.catalog.tables.segments.rows import NewReference
from producer.configuration.values.sizes import format_size
from producer.observer import Progress
from producer.raw.compare import compare
from producer.raw.known import known_cells, references
from producer.raw.ranges import Range
from producer.run.session import RunSession


@dataclass(kw_only=True, slots=True)
class ComparedRawVolumes:
    #: Entry index → ranges that are to be stored.
    stored: dict[int, list[Range]] = field(default_factory=dict)
    references: list[NewReference] = field(default_factory=list)


def compare_raw_volumes(session: RunSession, intake: Intake) -> ComparedRawVolumes:
    """Compare the raw volumes whose plan is still to be made; raises InterruptedRun, and OSError of a raw volume."""
    found = ComparedRawVolumes()
    if intake.kept is not None and intake.kept.is_everything:
        return found
    kept_entries = {first for first, _ in intake.kept.ranges} if intake.kept is not None else set()
    snapshot = session.catalog.snapshots.get(intake.snapshot_id)
    live_ids = {member.device_id for member in intake.members.values() if member.is_live}
    for raw_volume in intake.raw_volumes.values():
        if raw_volume.entry in kept_entries:
            found.stored[raw_volume.entry] = []
            continue
        known = known_cells(session.catalog, snapshot, raw_volume.name, live_ids)

        def on_bytes(done_bytes: int) -> None:
            session.interrupt.check()
            session.observer.progress(
                Progress(
                    phase="planning",
                    files_count=intake.files_count,
                    bytes_total=intake.bytes_total,
                    bytes_done=done_bytes,
                )
            )

        comparison = compare(raw_volume, known, on_bytes)
        found.stored[raw_volume.entry] = comparison.stored
        found.references += references(comparison.reused, raw_volume.entry)
        if known:
            changed_bytes = sum(item.size_bytes for item in comparison.stored)
            session.observer.note(f"{raw_volume.path}: {format_size(changed_bytes)} changed since the last backup")
    return found


def numbered(rows: Iterable[NewReference], snapshot_id: str, first_number: int) -> Iterator[NewReference]:
    """The references with numbers behind the plan's, and ids of their own."""
    for number, row in enumerate(rows, first_number):
        own_id = segment_id(snapshot_id, number, row.entry, row.entry + 1, row.offset_bytes)
        yield replace(row, number=number, segment_id=own_id)
