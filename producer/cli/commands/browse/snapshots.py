"""``segfleet snapshots``: what there is to restore."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from producer.catalog.lacks import still_lacking
from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.incomplete import in_words
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339
from producer.configuration.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.tables.snapshots.rows import SnapshotRow
    from producer.summaries import Incomplete

_HEADER = ("snapshot", "started", "volume", "files", "size", "stored", "tags", "sources")


@click.command(cls=FleetCommand)
@json_option
@config_option
@click.pass_obj
def snapshots(call: Call) -> None:
    """List the snapshots, the oldest first."""
    with opened_catalog(call) as catalog:
        rows, devices, place = catalog.snapshots.all(), catalog.devices.all(), catalog.place
    incomplete = {row.snapshot_id: still_lacking(row.lacks, devices, row.sealed_at) for row in rows}
    if call.json:
        for row in rows:
            write_row(_json_row(row, incomplete[row.snapshot_id]))
    elif rows:
        # A column that is seldom needed.
        more = ("state",) if any(incomplete.values()) else ()
        cells = [(*_cells(row), *(in_words(incomplete[row.snapshot_id]) for _ in more)) for row in rows]
        for line in lines_of((*_HEADER, *more), cells, right="   >>>"):
            click.echo(line)
    else:
        click.echo(f"there are no snapshots yet in this catalog ({escaped(place)})", err=True)


def _cells(row: SnapshotRow) -> tuple[str, ...]:
    return (
        row.snapshot_id[:8],
        rfc3339(row.started_at),
        row.volume,
        str(row.files_count),
        format_size(row.bytes_source),
        format_size(row.bytes_stored),
        escaped(",".join(row.tags)),
        escaped(" ".join(source.path for source in row.sources)),
    )


def _json_row(row: SnapshotRow, incomplete: Sequence[Incomplete]) -> dict[str, Any]:
    return {
        "message_type": "snapshot",
        "snapshot_id": row.snapshot_id,
        "volume": row.volume,
        "mode": row.mode,
        "hostname": row.hostname,
        "tags": list(row.tags),
        "sources": [dataclasses.asdict(source) for source in row.sources],
        "started": rfc3339(row.started_at),
        "sealed": rfc3339(row.sealed_at) if row.sealed_at else None,
        "files": row.files_count,
        "bytes_source": row.bytes_source,
        "bytes_stored": row.bytes_stored,
        "threshold_bytes": row.threshold_bytes,
        "segments": row.segments_count,
        "incomplete": [dataclasses.asdict(lack) for lack in incomplete],
    }
