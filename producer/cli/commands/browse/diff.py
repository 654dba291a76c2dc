"""``segfleet diff``: what changed between two snapshots."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import batches_of, named_snapshot, opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.shared import config_option, configured_devices, json_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.entries import shown_path, write_path_line

if TYPE_CHECKING:
    from producer.listing import Entry, EntryBatch

#: A hard link is shown as a file: all names of a file are equal.
_KIND_SHOWN = {"hardlink": "file"}


@click.command(cls=FleetCommand)
@click.argument("before", metavar="SNAPSHOT", shell_complete=stored_snapshots)
@click.argument("after", metavar="SNAPSHOT", shell_complete=stored_snapshots)
@click.option("--metadata", is_flag=True, help="Also show U: only mode, owner or time changed.")
@json_option
@config_option
@click.pass_obj
def diff(call: Call, before: str, after: str, metadata: bool) -> None:
    """List what changed from one snapshot to another, one path per line.

    Each line starts with + (added), - (removed), M (content changed: size, time or link target) or T (type changed).
    """
    with opened_catalog(call) as catalog:
        old, new = (named_snapshot(catalog, name, configured_devices(call)) for name in (before, after))
        # Source by source, because two snapshots may name the same sources in another order.
        for name in sorted({source.name for row in (old, new) for source in row.sources}):
            old_entries = _entries(batches_of(catalog, old.snapshot_id), name)
            new_entries = _entries(batches_of(catalog, new.snapshot_id), name)
            for change, path in changes(old_entries, new_entries, metadata=metadata):
                _show(change, path, json=call.json)


def changes(old: Iterable[Entry], new: Iterable[Entry], *, metadata: bool) -> Iterator[tuple[str, str]]:
    """Letter and path of every change between two listings of one source, both in the order of the walk."""
    for before, after in _paired(iter(old), iter(new)):
        letter = _letter(before, after, metadata=metadata)
        if letter:
            entry = after or before
            assert entry is not None
            yield letter, entry.snapshot_path


def _paired(old: Iterator[Entry], new: Iterator[Entry]) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Entries of the same path together, one at a time from each side, so that memory does not grow with the tree."""
    before, after = next(old, None), next(new, None)
    while before is not None or after is not None:
        if after is None or (before is not None and _walk_order(before) < _walk_order(after)):
            yield before, None
            before = next(old, None)
        elif before is None or _walk_order(after) < _walk_order(before):
            yield None, after
            after = next(new, None)
        else:
            yield before, after
            before, after = next(old, None), next(new, None)


def _walk_order(entry: Entry) -> tuple[list[bytes], bytes]:
    """The order of the walk: a directory's entries by name, then the entries of each subdirectory in turn."""
    if not entry.path:
        return [], b""
    *folders, name = os.fsencode(entry.path).split(b"/")
    return [b"", *folders], name


def _letter(before: Entry | None, after: Entry | None, *, metadata: bool) -> str:
    if before is None:
        return "+"
    if after is None:
        return "-"
    if _KIND_SHOWN.get(before.kind, before.kind) != _KIND_SHOWN.get(after.kind, after.kind):
        return "T"
    if _content_differs(before, after):
        return "M"
    return "U" if metadata and _metadata(before) != _metadata(after) else ""


def _content_differs(before: Entry, after: Entry) -> bool:
    if after.kind == "directory":
        # Its time changes with its entries, which have lines of their own.
        return False
    if after.kind == "symlink":
        return before.link != after.link
    if before.kind != after.kind:
        # Only a file's first name has the size, not its later ones.
        return before.mtime_ns != after.mtime_ns
    return (before.size_bytes, before.mtime_ns, before.device_number) != (
        after.size_bytes,
        after.mtime_ns,
        after.device_number,
    )


def _metadata(entry: Entry) -> tuple[int, int, int, int]:
    return entry.mode, entry.uid, entry.gid, entry.mtime_ns


def _entries(batches: Iterable[EntryBatch], source: str) -> Iterator[Entry]:
    for batch in batches:
        if batch.source == source:
            yield from batch


def _show(change: str, path: str, *, json: bool) -> None:
    if json:
        write_row({"message_type": "change", "change": change, "path": path})
    else:
        write_path_line(f"{change}    {shown_path(path)}")
