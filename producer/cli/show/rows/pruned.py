"""What a prune has deleted, or would delete, and what waits."""

from __future__ import annotations

import click

from producer.cli.show.counts import counted
from producer.cli.show.tables import lines_of
from producer.cli.show.wrapped import say
from producer.configuration.values.sizes import format_size
from producer.summaries import PruneSummary

_HEADER = ("device", "objects", "files", "freed", "written", "waiting")
_SELDOM = ("written", "files")


def show_prune(summary: PruneSummary, width: int | None) -> None:
    """A row for each device on which something goes or waits, and a line for all."""
    rows = [
        (
            name,
            str(totals.objects_deleted),
            str(totals.files_deleted),
            format_size(totals.bytes_freed),
            format_size(totals.bytes_written + totals.bytes_parity),
            "",
        )
        for name, totals in summary.devices.items()
        if totals.objects_deleted or totals.files_deleted or totals.objects_written or totals.parity_made
    ]
    rows += [
        (name, "", "", "", "", f"{counted(waits.objects, 'object')}, {format_size(waits.bytes)}: {waits.why}")
        for name, waits in summary.waiting.items()
    ]
    for line in lines_of(_HEADER, rows, right=" >>>> ", seldom=_SELDOM, width=width) if rows else ():
        click.echo(line)
    verb = "would be deleted" if summary.dry_run else "deleted"
    objects, files = counted(summary.objects_deleted, "object"), counted(summary.files_deleted, "file")
    freed = format_size(summary.bytes_freed)
    say(f"{objects} and {files} of manifests {verb}, {freed} freed, {summary.duration_s:.1f} s")
    if summary.objects_written:
        verb = "would be written" if summary.dry_run else "written"
        written = counted(summary.objects_written, "object")
        say(f"{written} {verb} again without unused data, {format_size(summary.bytes_written)}")
    if summary.parity_made:
        verb = "would be written" if summary.dry_run else "written"
        say(f"{counted(summary.parity_made, 'row')} of parity {verb}, {format_size(summary.bytes_parity)}")
    if summary.bytes_unused is not None:
        say(f"unused and still stored: {format_size(summary.bytes_unused)}")
    if summary.files_scattered:
        files = counted(summary.files_scattered, "file")
        say(f"scattered over many small places, and slow to restore: {files} (see segfleet stats)")
    if summary.errors:
        say(f"{counted(summary.errors, 'error')}; see above")
