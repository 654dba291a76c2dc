"""``segfleet find``: which snapshots hold a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import translate
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.catalog import batches_of, opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.entry_filter import filter_of, filter_options
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.entries import entry_row, long_line, shown_path, write_path_line

if TYPE_CHECKING:
    from producer.listing import Entry, EntryBatch


@click.command(cls=FleetCommand)
@click.argument("pattern")
@click.option("--snapshot", metavar="SNAPSHOT", help="Search this snapshot only.", shell_complete=stored_snapshots)
@click.option("-i", "--ignore-case", is_flag=True, help="Match PATTERN in any case.")
@click.option("-l", "--long", is_flag=True, help="Show mode, owner, size and time too.")
@filter_options
@json_option
@config_option
@click.pass_obj
def find(
    call: Call,
    /,
    pattern: str,
    snapshot: str | None,
    ignore_case: bool,
    long: bool,
    human_readable: bool,
    **chosen: Any,
) -> None:
    """Find entries that match PATTERN, in all snapshots.

    A PATTERN with a slash must match the whole path, one without a slash the last part of it; *, ? and [...] are
    wildcards.  Each line is SNAPSHOT:PATH, which "segfleet restore" accepts.
    """
    wanted = filter_of(**chosen)
    with opened_catalog(call) as catalog:
        rows = [catalog.snapshots.find(snapshot)] if snapshot else catalog.snapshots.all()
        for row in rows:
            for batch in batches_of(catalog, row.snapshot_id):
                for entry in matches(batch, pattern, ignore_case=ignore_case):
                    if wanted.fits(entry.kind, entry.size_bytes, entry.mtime_ns):
                        _show(row.snapshot_id, entry, call, long=long, human_readable=human_readable)


def matches(batch: EntryBatch, pattern: str, *, ignore_case: bool = False) -> Iterator[Entry]:
    """The entries of ``batch`` that match ``pattern``."""
    whole_path = "/" in pattern
    fits = re.compile(translate(pattern.strip("/")), re.IGNORECASE if ignore_case else 0).match
    for place, name in enumerate(batch.names):
        if not whole_path and name:
            if fits(name):
                yield batch.entry_at(place)
            continue
        entry = batch.entry_at(place)
        if fits(entry.snapshot_path):
            yield entry


def _show(snapshot_id: str, entry: Entry, call: Call, *, long: bool, human_readable: bool) -> None:
    if call.json:
        write_row({"message_type": "entry", "snapshot_id": snapshot_id, **entry_row(entry)})
        return
    path = f"{snapshot_id[:8]}:{shown_path(entry.snapshot_path)}"
    write_path_line(long_line(entry, path=path, human_readable=human_readable) if long else path)
