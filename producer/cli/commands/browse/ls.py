"""``segfleet ls``: what a snapshot holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from producer.catalog.lacks import still_lacking
from producer.cli.call import Call
from producer.cli.catalog import batches_of, folder_of, named_snapshot, opened_catalog
from producer.cli.commands.browse.ls_raw_volume import list_inside
from producer.cli.commands.browse.shown import Shown, patterns_of
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.entry_filter import filter_of, filter_options
from producer.cli.options.shared import config_option, devices_option, json_option
from producer.cli.show.counts import counted
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.entries import entry_row, long_line, shown_path, write_path_line
from producer.cli.show.rows.incomplete import in_words
from producer.cli.show.safe_text import harmless
from producer.cli.show.wrapped import warn
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog
    from producer.catalog.tables.snapshots.rows import SnapshotRow
    from producer.listing import Entry, EntryBatch


@click.command(cls=FleetCommand)
@click.argument("snapshot", shell_complete=stored_snapshots)
@click.argument("path", required=False, default="")
@click.option("-l", "--long", is_flag=True, help="Also show mode, owner, size and time.")
@click.option(
    "-R", "--recursive", is_flag=True, help="With PATH: everything below it, not only what is directly in it."
)
@click.option("-i", "--include", multiple=True, metavar="PATTERN", help="Only paths that match PATTERN (gitignore).")
@click.option("-e", "--exclude", multiple=True, metavar="PATTERN", help="Skip paths that match PATTERN (gitignore).")
@filter_options
@devices_option
@json_option
@config_option
@click.pass_obj
def ls(
    call: Call,
    /,
    snapshot: str,
    path: str,
    long: bool,
    recursive: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    human_readable: bool,
    devices: dict[str, Path],
    **chosen: Any,
) -> int:
    """List the entries of a snapshot: all of them, or those directly in PATH.

    Paths start with the name of their source.  If that is a raw volume (ext2, ext3, ext4, FAT, XFS), SOURCE/PATH shows
    the files in its image, which is fetched from the devices.  On a terminal, unprintable characters in names are
    escaped.
    """
    inside, path = path, path.strip("/")
    shown = Shown(
        chosen=filter_of(**chosen), patterns=patterns_of(include, exclude), long=long, human_readable=human_readable
    )
    with opened_catalog(call) as catalog:
        row = named_snapshot(catalog, snapshot, devices)
        raw_volumes = {source.name for source in row.sources if source.mode == "raw"}
        if "/" in inside.lstrip("/") and inside.lstrip("/").partition("/")[0] in raw_volumes:
            return list_inside(call, row.snapshot_id, inside.lstrip("/"), devices, recursive=recursive, shown=shown)
        found = False
        for entry in entries_at(batches_of(catalog, row.snapshot_id), path, recursive=recursive):
            found = True
            if shown.fits(entry.snapshot_path, entry.kind, entry.size_bytes, entry.mtime_ns):
                _show(entry, shown, json=call.json)
        if path and not found:
            raise UsageError(
                f"snapshot {row.snapshot_id[:8]} has no {path}", hint="segfleet ls SNAPSHOT shows all that it has"
            )
        _note_what_it_lacks(catalog, row)
    return 0


def _note_what_it_lacks(catalog: Catalog, row: SnapshotRow) -> None:
    """On standard error, below the list."""
    lacking = [one for one in still_lacking(row.lacks, catalog.devices.all(), row.sealed_at) if not one.rotating]
    if lacking:
        files = counted(sum(one.files for one in lacking), "file")
        short = row.snapshot_id[:8]
        warn(
            f"segfleet: snapshot {short} is {harmless(in_words(lacking))}: {files} cannot be restored as a whole now; "
            f"to see which: segfleet check {short}",
        )


def entries_at(batches: Iterable[EntryBatch], path: str, *, recursive: bool) -> Iterator[Entry]:
    """The entry at ``path`` and those directly in it, or all below it; every entry for path ""."""
    parent = path.rpartition("/")[0]
    for batch in batches:
        folder = folder_of(batch)
        if not path or folder == path or (recursive and folder.startswith(f"{path}/")):
            yield from batch
        elif folder == parent:
            yield from (entry for entry in batch if entry.snapshot_path == path)


def _show(entry: Entry, shown: Shown, *, json: bool) -> None:
    path = shown_path(entry.snapshot_path)
    if json:
        write_row({"message_type": "entry", **entry_row(entry)})
    else:
        write_path_line(long_line(entry, path=path, human_readable=shown.human_readable) if shown.long else path)
