"""Shows the summary of a run to people."""

from __future__ import annotations

from collections.abc import Mapping

import click

from producer.cli.show.counts import counted
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import with_age_of
from producer.cli.show.wrapped import say
from producer.configuration.values.sizes import format_size
from producer.host.behalf import terminal_width
from producer.summaries import (
    BackupSummary,
    CheckSummary,
    DeviceRisk,
    Incomplete,
    RebuildSummary,
    RepairSummary,
    RestoreSummary,
    ScheduleSummary,
)
from tasks.sources.metadata import METADATA_NAMES

#: Snapshots that a check names.
_NAMED_COUNT = 20

#: Devices of which a backup says what would be lost with them.
_RISKS_COUNT = 4

_DEVICE_HEADER = ("device", "segments", "source", "stored", "state")


def compared_line(parent_id: str, new: int, changed: int, unchanged: int, moved: int) -> str:
    """What a backup has found beside its parent."""
    return f"since snapshot {parent_id[:8]}: {new:,} new, {changed:,} changed, {unchanged:,} unchanged, {moved:,} moved"


def show_backup(summary: BackupSummary) -> None:
    rows = [
        (
            name,
            str(totals.segments),
            format_size(totals.bytes_source),
            format_size(totals.bytes_stored),
            f"{totals.state}, new" if totals.new else totals.state,
        )
        for name, totals in summary.devices.items()
    ]
    for line in lines_of(_DEVICE_HEADER, rows, right=" >>>", width=terminal_width()):
        click.echo(line)
    made = f"snapshot {summary.snapshot_id[:8]}" if summary.snapshot_id else "no new snapshot"
    segments, stored = counted(summary.segments, "segment"), format_size(summary.bytes_stored)
    # Beside a parent most of what is read may be found unchanged, and then it is in no segment.
    done = f"; {format_size(summary.bytes_read)} read, {stored} stored in {segments}"
    say(
        f"{made} of volume {summary.volume}: {counted(summary.files, 'file')}, {format_size(summary.bytes_source)}"
        f"{done if summary.parent_id else f' in {segments}, {stored} stored'}, {summary.duration_s:.1f} s"
    )
    by_all = sum(totals.bytes_stored for totals in summary.devices.values())
    if by_all > summary.bytes_stored:
        say(f"{format_size(by_all - summary.bytes_stored)} had been stored by an interrupted run")
    if summary.parent_id:
        say(
            compared_line(
                summary.parent_id,
                summary.files_new,
                summary.files_changed,
                summary.files_unchanged,
                summary.files_moved,
            )
        )
    _show_protection(summary)
    _show_healed(summary.files_healed, summary.bytes_healed)
    if summary.files_fewer:
        say(f"{counted(summary.files_fewer, 'file')} fewer than last time")
    if summary.segments_rerouted or summary.segments_retried:
        say(f"{counted(summary.segments_rerouted, 'segment')} rerouted, {summary.segments_retried} retried")
    lost_count = sum(lack.files for lack in summary.incomplete if not lack.rotating)
    _show_errors(summary.errors - lost_count, "file or folder", "files or folders", "could not be backed up completely")
    for lack in summary.incomplete:
        if lack.rotating:
            say(
                f"on rotating device {lack.device}, which has been away since {with_age_of(lack.since)}: "
                f"{counted(lack.files, 'file')}, {format_size(lack.bytes)}"
            )
            continue
        say(
            f"incomplete (device {lack.device}): {counted(lack.files, 'file')}, {format_size(lack.bytes)} cannot be "
            f"restored {_until(lack)}; each is named above"
        )


def _until(lack: Incomplete) -> str:
    since = f" since {with_age_of(lack.since)}" if lack.since else ""
    if lack.damaged:
        return "any more: what it held was found damaged or missing"
    return f"any more: it is lost{since}" if lack.lost else f"until it is back, which is away{since}"


def _show_protection(summary: BackupSummary) -> None:
    if summary.copies_made or summary.copies_missing:
        say(
            f"{counted(summary.copies_made, 'copy', 'copies')} on other devices, {format_size(summary.bytes_copied)}; "
            f"{summary.copies_missing} missing"
        )
    if summary.parity_made or summary.parity_missing:
        say(
            f"{counted(summary.parity_made, 'file')} of parity, {format_size(summary.bytes_parity)}; "
            f"{counted(summary.parity_missing, 'object')} without"
        )
    if summary.at_risk:
        say(_at_risk_line(summary.at_risk))


def _at_risk_line(at_risk: Mapping[str, DeviceRisk]) -> str:
    """What the loss of a device would cost, of those that would cost most first."""
    worst = sorted(at_risk.items(), key=lambda item: (-item[1].bytes, item[0]))
    shown = [f"{name} {counted(risk.files, 'file')} ({format_size(risk.bytes)})" for name, risk in worst[:_RISKS_COUNT]]
    more = f"; and {counted(len(worst) - _RISKS_COUNT, 'more device')}" if len(worst) > _RISKS_COUNT else ""
    return f"would be lost with a device: {'; '.join(shown)}{more}"


def show_restore(summary: RestoreSummary) -> None:
    skipped = f", {summary.skipped} skipped" if summary.skipped else ""
    reused = f", {format_size(summary.bytes_reused)} found in the target" if summary.bytes_reused else ""
    removed = f", {summary.removed} removed" if summary.removed else ""
    say(
        f"snapshot {summary.snapshot_id[:8]}: {counted(summary.files, 'file')}, "
        f"{format_size(summary.bytes_restored)} restored{reused}{skipped}{removed}, {summary.duration_s:.1f} s"
    )
    if summary.verified_files or summary.verified_bytes:
        say(f"{counted(summary.verified_files, 'file')}, {format_size(summary.verified_bytes)} read back and compared")
    if summary.not_kept:
        kinds = ", ".join(f"{METADATA_NAMES[kind]} of {count}" for kind, count in sorted(summary.not_kept.items()))
        say(f"not restored, because only root may set them: {kinds}")
    _show_errors(summary.errors, "file or part of a file", "files or parts of files", "could not be restored")


def show_check(summary: CheckSummary) -> None:
    say(
        f"{counted(summary.snapshots, 'snapshot')}, {counted(summary.segments, 'segment')} checked, "
        f"{format_size(summary.bytes_read)} read, {summary.duration_s:.1f} s"
    )
    if summary.segments_skipped:
        say(f"{counted(summary.segments_skipped, 'segment')} skipped")
    _show_damaged_snapshots(summary)
    if summary.errors:
        _show_errors(summary.errors, "error", "errors", "found")
    else:
        say("no errors found")


def _show_damaged_snapshots(summary: CheckSummary) -> None:
    for loss in summary.snapshots_damaged[:_NAMED_COUNT]:
        of_volume = f"snapshot {loss.snapshot_id[:8]} of volume {escaped(loss.volume)}"
        say(f"{of_volume} lacks {counted(loss.files, 'file')}, {format_size(loss.bytes)}")
    damaged_count = len(summary.snapshots_damaged)
    if damaged_count > _NAMED_COUNT:
        say(f"and {damaged_count - _NAMED_COUNT} more; --json names all")
    if damaged_count:
        say(f"{counted(summary.snapshots - damaged_count, 'snapshot is', 'snapshots are')} whole")


def show_rebuild(summary: RebuildSummary) -> None:
    known = f"; {counted(summary.snapshots_known, 'snapshot')} known before" if summary.snapshots_known else ""
    say(
        f"{counted(summary.snapshots, 'snapshot')} of {counted(summary.volumes, 'volume')} and "
        f"{counted(summary.segments, 'segment')} recorded{known}, {summary.duration_s:.1f} s"
    )
    _show_errors(summary.errors, "error", "errors", "found")


def show_repair(summary: RepairSummary) -> None:
    say(
        f"{counted(summary.snapshots, 'snapshot')}: {counted(summary.manifests_completed, 'manifest')} and "
        f"{counted(summary.objects_copied, 'object')} copied to devices that lacked them, {summary.objects_damaged} "
        f"missing or damaged, {summary.duration_s:.1f} s"
    )
    _show_healed(summary.files_healed, summary.bytes_healed)
    _show_errors(summary.errors, "error", "errors", "found")


def show_schedule(summary: ScheduleSummary) -> None:
    say(
        f"{counted(summary.runs, 'run')}: {summary.done} done, {summary.partial} in part, {summary.failed} failed, "
        f"{summary.locked} locked by another run; {summary.duration_s:.1f} s"
    )


def _show_healed(files_count: int, bytes_count: int) -> None:
    if files_count:
        healed = f"{counted(files_count, 'file')}, {format_size(bytes_count)}"
        say(f"healed, in older snapshots too: {healed} that were on no device any more")


def _show_errors(count: int, one: str, many: str, what: str) -> None:
    if count:
        say(f"{counted(count, one, many)} {what}; see above")
