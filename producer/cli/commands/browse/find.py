"""``segfleet find``: which snapshots hold a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.catalog import named_snapshot, opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.entry_filter import filter_of, filter_options
from producer.cli.options.shared import config_option, configured_devices, json_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.entries import entry_row, long_line, shown_path, write_path_line

if TYPE_CHECKING:
    from producer.catalog.tree import Tree
    from producer.listing import Entry, EntryBatch

#: Entries that are kept for the next snapshots: some 50 MB.
_KEPT_COUNT = 100_000


@click.command(cls=FleetCommand)
@click.argument("pattern")
@click.option("--snapshot", metavar="SNAPSHOT", help="Search this snapshot only.", shell_complete=stored_snapshots)
@click.option("-i", "--ignore-case", is_flag=True, help="Match PATTERN in any case.")
@click.option("-l", "--long", is_flag=True, help="Also show mode, owner, size and time.")
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

    def matching(batch: EntryBatch) -> Iterator[Entry]:
        found = matches(batch, pattern, ignore_case=ignore_case)
        return (entry for entry in found if wanted.fits(entry.kind, entry.size_bytes, entry.mtime_ns))

    with opened_catalog(call) as catalog:
        rows = [named_snapshot(catalog, snapshot, configured_devices(call))] if snapshot else catalog.snapshots.all()
        search = Search(matching)
        for row in rows:
            for entry in search.entries(catalog.trees.of(row.snapshot_id)):
                _show(row.snapshot_id, entry, call, long=long, human_readable=human_readable)


class Search:
    """Finds the entries of one snapshot after the other; a part that they share is read once.

    Only the indexes of the entries are not those of the snapshot.  Memory: what was found, up to a limit; parts that
    hold more are read for each snapshot.
    """

    def __init__(self, matching: Callable[[EntryBatch], Iterable[Entry]]) -> None:
        self._matching = matching
        self._found: dict[tuple[bytes, str], list[Entry]] = {}
        self._entries_count = 0

    def entries(self, tree: Tree) -> Iterator[Entry]:
        """Those of a snapshot that match, in its order."""
        for part in tree.parts:
            key = part.digest, tree.source_of(part)
            found = self._found.get(key)
            if found is None:
                found = [entry for batch in tree.decoded(part) for entry in self._matching(batch)]
                if self._entries_count + len(found) <= _KEPT_COUNT:
                    self._found[key] = found
                    self._entries_count += len(found)
            yield from found


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
