"""What a backup did, in figures."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from producer.backup.intake.intake import Intake
from producer.backup.storing.state.state import BackupState
from producer.catalog.lacks import still_lacking
from producer.catalog.tables.segments.totals import DONE, DoneBytes, SegmentTotals
from producer.pool.losses.at_risk import at_risk_of
from producer.pool.members import Member
from producer.run.session import RunSession
from producer.summaries import BackupSummary, DeviceRisk, DeviceTotals


def backup_summary(session: RunSession, intake: Intake, state: BackupState, started_s: float) -> BackupSummary:
    """The summary of a sealed snapshot; the run began at ``started_s`` on the monotonic clock."""
    snapshot = session.catalog.snapshots.get(intake.snapshot_id)
    rows = session.catalog.totals.by_state(intake.snapshot_id)
    incomplete = still_lacking(snapshot.lacks, session.catalog.devices.all(), snapshot.sealed_at)
    lacking = [lack for lack in incomplete if not lack.rotating]
    totals = device_totals(rows, intake.members, [*intake.absent, *sorted(state.lost_holders)], intake.new)
    as_given = [*(name for name in session.paths if name in totals), *sorted(totals.keys() - session.paths.keys())]
    earlier = _of_earlier_runs(session, state)
    errors = session.catalog.troubles.count(intake.snapshot_id) + sum(lack.files for lack in lacking)
    return BackupSummary(
        snapshot_id=snapshot.snapshot_id,
        parent_id=snapshot.parent_id,
        volume=snapshot.volume,
        mode=snapshot.mode,
        files=snapshot.files_count,
        files_fewer=intake.files_fewer,
        files_new=intake.counts.new,
        files_changed=intake.counts.changed + len(state.stored_anew),
        files_unchanged=intake.counts.unchanged - len(state.stored_anew),
        files_moved=intake.counts.moved,
        files_healed=len(state.healed_entries - state.stored_anew),
        bytes_healed=state.healed_bytes,
        bytes_source=snapshot.bytes_source,
        bytes_read=sum(row.bytes_source for row in rows if row.state in DONE) - earlier.source,
        bytes_stored=snapshot.bytes_stored - earlier.stored,
        threshold_bytes=snapshot.threshold_bytes,
        segments=snapshot.segments_count,
        segments_rerouted=sum(row.rerouted_count for row in rows),
        segments_retried=sum(row.retried_count for row in rows),
        devices={name: replace(totals[name], bytes_copied=state.copied_bytes[name]) for name in as_given},
        incomplete=incomplete,
        errors=errors,
        duration_s=round(time.monotonic() - started_s, 3),
        exit_code=3 if errors or lacking or state.copies_missing_count or state.parity_missing_count else 0,
        copies_made=state.copies_made_count,
        bytes_copied=state.copied_bytes.total(),
        copies_missing=state.copies_missing_count,
        at_risk=_at_risk(session, snapshot.snapshot_id),
        parity_made=state.parity_made_count,
        bytes_parity=state.parity_bytes,
        parity_missing=state.parity_missing_count,
    )


def _of_earlier_runs(session: RunSession, state: BackupState) -> DoneBytes:
    """How much of the snapshot runs that were interrupted have stored; what this one has stored again is its own."""
    if not state.by_earlier_runs:
        return DoneBytes(0, 0)
    left = session.catalog.totals.done(state.snapshot_id).keys() & state.by_earlier_runs.keys()
    found = [state.by_earlier_runs[one] for one in left]
    return DoneBytes(sum(one.source for one in found), sum(one.stored for one in found))


def _at_risk(session: RunSession, snapshot_id: str) -> dict[str, DeviceRisk]:
    names = {row.device_id: row.name for row in session.catalog.devices.all()}
    return {
        names.get(device_id, device_id[:8]): DeviceRisk(files=risk.files_count, bytes=risk.size_bytes)
        for device_id, risk in sorted(at_risk_of(session.catalog, snapshot_id).items())
    }


def device_totals(
    rows: Iterable[SegmentTotals],
    members: Mapping[str, Member],
    absent: Iterable[str] = (),
    new: Collection[str] = (),
) -> dict[str, DeviceTotals]:
    """What each device has stored of the snapshot whose totals these are: members, and those that are not there now.

    A device that an earlier run of the snapshot stored to is among them, whether this run names it or not.
    """
    stored = {row.device: row for row in rows if row.state == "stored"}
    states: dict[str, str] = dict.fromkeys([*absent, *stored], "absent")
    states |= {name: member.state for name, member in members.items()}
    nothing = SegmentTotals(
        device="",
        state="stored",
        segments_count=0,
        bytes_source=0,
        bytes_stored=0,
        rerouted_count=0,
        retried_count=0,
    )
    return {
        name: DeviceTotals(
            segments=stored.get(name, nothing).segments_count,
            bytes_source=stored.get(name, nothing).bytes_source - stored.get(name, nothing).bytes_unchanged,
            bytes_stored=stored.get(name, nothing).bytes_stored,
            state=state,
            new=name in new,
        )
        for name, state in states.items()
    }
