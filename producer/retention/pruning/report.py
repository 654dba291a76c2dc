"""What a prune reports: of each device what has gone, or would go, and what waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from producer.catalog.scattered import scattered_now
from producer.catalog.tables.doomed import DoomedObject
from producer.retention.pruning.device_files import files_to_delete
from producer.retention.pruning.meeting import Meeting
from producer.retention.pruning.repacking.selection import Repack
from producer.run.session import RunSession
from producer.summaries import PrunedTotals, PruneSummary, WaitingTotals


def summary_of(session: RunSession, meeting: Meeting, *, bytes_unused: int | None, started_s: float) -> PruneSummary:
    """What has gone."""
    devices = {
        device.name: PrunedTotals(
            objects_deleted=device.objects_count,
            files_deleted=device.files_count,
            bytes_freed=device.bytes_freed,
            objects_written=device.repacked_count,
            bytes_written=device.bytes_written,
            parity_made=device.rows_count,
            bytes_parity=device.rows_bytes,
        )
        for device in meeting.devices
    }
    waiting = _waiting(session, meeting, session.catalog.doomed.sums())
    return _summary(session, meeting, devices, waiting, bytes_unused, started_s=started_s, dry_run=False)


def dry_summary(
    session: RunSession,
    meeting: Meeting,
    *,
    doomed: Sequence[DoomedObject],
    orphans: Mapping[str, Sequence[DoomedObject]],
    repacks: Sequence[Repack],
    rows: Sequence[tuple[str, int]],
    bytes_unused: int,
    emptied: Sequence[str],
    started_s: float,
) -> PruneSummary:
    """What would go and come.  The sizes of small files are not known before they are deleted, and do not count.

    ``doomed``: with what is repacked.  ``rows``: of parity that come: the id of the device, and bytes.
    ``bytes_unused``: what would stay so.
    """
    counts, sizes = _sums((found.device_id, found.bytes_stored) for found in chain(doomed, *orphans.values()))
    written_counts, written_sizes = _written(repacks)
    rows_counts, rows_sizes = _sums(rows)
    states = session.catalog.snapshots.states()
    devices = {
        device.name: PrunedTotals(
            objects_deleted=counts[device.device_id],
            files_deleted=len(files_to_delete(device.names, states, emptied)),
            bytes_freed=sizes[device.device_id],
            objects_written=written_counts[device.device_id],
            bytes_written=written_sizes[device.device_id],
            parity_made=rows_counts[device.device_id],
            bytes_parity=rows_sizes[device.device_id],
        )
        for device in meeting.writable
    }
    waiting = _waiting(session, meeting, {key: (counts[key], sizes[key]) for key in counts})
    return _summary(session, meeting, devices, waiting, bytes_unused, started_s=started_s, dry_run=True)


def _written(repacks: Sequence[Repack]) -> tuple[Counter[str], Counter[str]]:
    """Device id → objects and bytes that come."""
    return _sums((target.device_id, one.candidate.bytes_to_write) for one in repacks for target in one.targets)


def _sums(files: Iterable[tuple[str, int]]) -> tuple[Counter[str], Counter[str]]:
    """Device id → how many files, and their bytes."""
    counts, sizes = Counter[str](), Counter[str]()
    for device_id, bytes_stored in files:
        counts[device_id] += 1
        sizes[device_id] += bytes_stored
    return counts, sizes


def _waiting(session: RunSession, meeting: Meeting, sums: Mapping[str, tuple[int, int]]) -> dict[str, WaitingTotals]:
    """What is to go from devices that are away, or on which nothing may be deleted, or that have failed."""
    writable = {device.device_id for device in meeting.writable}
    why = {device.device_id: device.why_not for device in meeting.devices}
    found: dict[str, WaitingTotals] = {}
    for row in session.catalog.devices.all():
        if row.device_id in sums and row.state != "lost" and row.device_id not in writable:
            objects_count, bytes_stored = sums[row.device_id]
            reason = why.get(row.device_id) or ("it failed" if row.device_id in why else "it is away")
            found[row.name] = WaitingTotals(objects=objects_count, bytes=bytes_stored, why=reason)
    return found


def _summary(
    session: RunSession,
    meeting: Meeting,
    devices: dict[str, PrunedTotals],
    waiting: dict[str, WaitingTotals],
    bytes_unused: int | None,
    *,
    started_s: float,
    dry_run: bool,
) -> PruneSummary:
    errors = meeting.work.errors_count
    return PruneSummary(
        bytes_freed=sum(device.bytes_freed for device in devices.values()),
        objects_deleted=sum(device.objects_deleted for device in devices.values()),
        files_deleted=sum(device.files_deleted for device in devices.values()),
        devices=devices,
        waiting=waiting,
        objects_written=sum(device.objects_written for device in devices.values()),
        bytes_written=sum(device.bytes_written for device in devices.values()),
        bytes_unused=bytes_unused,
        parity_made=sum(device.parity_made for device in devices.values()),
        bytes_parity=sum(device.bytes_parity for device in devices.values()),
        files_scattered=sum(1 for _ in scattered_now(session.catalog)),
        dry_run=dry_run,
        errors=errors,
        duration_s=round(time.monotonic() - started_s, 3),
        exit_code=3 if errors else 0,
    )
