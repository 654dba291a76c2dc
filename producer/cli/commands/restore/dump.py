"""``segfleet dump``: one file, a folder, or the image of a raw volume, to standard output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import batches_of, folder_of, named_snapshot, opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import stored_snapshots
from producer.cli.options.known_devices import devices_of
from producer.cli.options.shared import config_option, devices_option, threads_option, wait_option
from producer.cli.show.counts import counted
from producer.cli.show.live.plain_lines import PlainObserver
from producer.host.behalf import is_for_terminal
from producer.requests import RestoreRequest
from producer.run.preflight import check_devices
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog
    from producer.catalog.tables.snapshots.rows import SnapshotRow


@click.command(cls=FleetCommand)
@click.argument("snapshot", shell_complete=stored_snapshots)
@click.argument("path", required=False, default="")
@click.option("--zip", "as_zip", is_flag=True, help="Write a zip instead of a tar, even for a single file.")
@devices_option
@threads_option
@wait_option
@config_option
@click.pass_obj
def dump(call: Call, /, snapshot: str, path: str, as_zip: bool, devices: dict[str, Path], threads: int | None) -> int:
    """Write one file of a snapshot, or a folder as a tar, to standard output.

    PATH / is the whole snapshot.  Without PATH: the image of its only raw volume, or its only source.

    The dump of a file is complete or fails.  What an archive lacks is named on standard error (exit code 3).
    """
    with opened_catalog(call) as catalog:
        row = named_snapshot(catalog, snapshot, devices)
        wanted = path.strip("/") or ("" if path else _only_source(row))
        is_archive = as_zip or _is_folder(catalog, row, wanted)
    if is_archive and is_for_terminal():
        raise UsageError(
            "an archive is not for a terminal", hint="redirect it: segfleet dump SNAPSHOT PATH > FILE, or into tar t"
        )
    devices = devices or devices_of(call, snapshot)
    check_devices(devices)
    request = RestoreRequest(snapshot=snapshot, path=wanted, target=Path(), devices=devices, threads=threads)
    return _dump_archive(call, request, as_zip=as_zip) if is_archive else _dump_file(call, request)


def _dump_file(call: Call, request: RestoreRequest) -> int:
    from producer.restore.dump import dump as dump_file

    # Bars would mix with the bytes on a terminal; notes go to standard error.
    dump_file(request, sys.stdout.buffer, PlainObserver(), call.environment(reads=True))
    return 0


def _dump_archive(call: Call, request: RestoreRequest, *, as_zip: bool) -> int:
    from producer.restore.archive.dump_archive import dump_archive

    observer = PlainObserver()
    summary = dump_archive(request, sys.stdout.buffer, observer, call.environment(reads=True), as_zip=as_zip)
    for what, count in summary.not_kept.items():
        observer.note(f"a zip cannot hold {what}: {counted(count, 'entry', 'entries')}")
    if summary.lost_count:
        observer.note(
            f"the archive lacks {counted(summary.lost_count, 'entry', 'entries')}, named above, or a part of them"
        )
    return 3 if summary.lost_count else 0


def _is_folder(catalog: Catalog, row: SnapshotRow, path: str) -> bool:
    """Whether the path names a directory of the snapshot; "" does."""
    if not path:
        return True
    parent, _, last = path.rpartition("/")
    for batch in batches_of(catalog, row.snapshot_id):
        if folder_of(batch) == parent and (last if parent else "") in batch.names and (parent or batch.source == path):
            return batch.kinds[batch.names.index(last if parent else "")] == "d"
    return False


def _only_source(row: SnapshotRow) -> str:
    sources = row.sources
    if len(sources) != 1:
        raise UsageError(
            "the snapshot has several sources; PATH is missing",
            hint="/ is all of them; segfleet ls SNAPSHOT shows the paths",
        )
    return sources[0].name
