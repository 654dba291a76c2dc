"""``segfleet snapshots``: what there is to restore."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from producer.catalog.lacks import still_lacking
from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_volumes
from producer.cli.options.shared import config_option, json_option, since_option, wide_option
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.incomplete import in_words
from producer.cli.show.rows.protection import json_protection, protection_in_words
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import age_of, local_time, rfc3339
from producer.cli.show.wrapped import warn
from producer.configuration.values.sizes import format_size
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.catalog import Catalog
    from producer.catalog.protection import Protection
    from producer.catalog.tables.snapshots.rows import SnapshotRow
    from producer.cli.show.json_types.lists import SnapshotLine
    from producer.summaries import Incomplete

_HEADER = ("snapshot", "started", "age", "volume", "files", "size", "stored", "tags", "sources")
_SELDOM = ("sources", "tags", "files", "stored", "age", "size", "description", "pool", "protection")


@click.command(cls=FleetCommand)
@click.argument("volume", required=False, shell_complete=known_volumes)
@click.option("--tag", "tags", multiple=True, metavar="T", help="Only those with the tag T; repeat for others.")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the last N of each volume.")
@since_option
@wide_option
@json_option
@config_option
@click.pass_obj
def snapshots(call: Call, volume: str | None, tags: tuple[str, ...], last: int | None, since: datetime | None) -> None:
    """List the snapshots, the oldest first; of VOLUME only, if given."""
    with opened_catalog(call) as catalog:
        rows, devices, place = catalog.snapshots.all(), catalog.devices.all(), catalog.place
        protection = protections_of(catalog, rows)
    if rows and volume is not None and not any(row.volume == volume for row in rows):
        raise UsageError(f"there is no snapshot of volume {volume}", hint="segfleet snapshots lists all of them")
    rows = [row for row in rows if since is None or row.started_at >= since]
    rows = chosen(rows, volume=volume, tags=tags, last=last)
    incomplete = {row.snapshot_id: still_lacking(row.lacks, devices, row.sealed_at) for row in rows}
    if call.json:
        for row in rows:
            write_row(
                {**_json_row(row, incomplete[row.snapshot_id]), **json_protection(protection.get(row.snapshot_id))}
            )
    elif rows:
        columns = {
            "state": [_state(row, incomplete[row.snapshot_id], protection.get(row.snapshot_id)) for row in rows],
            "protection": [protection_in_words(protection.get(row.snapshot_id)) for row in rows],
            "description": [escaped(row.description) for row in rows],
            "pool": _pools(rows),
        }
        # Columns that are seldom needed.
        more = [name for name, cells in columns.items() if any(cells)]
        lines = [(*_cells(row), *(columns[name][place] for name in more)) for place, row in enumerate(rows)]
        for line in lines_of((*_HEADER, *more), lines, right="==> >>>", seldom=_SELDOM, width=call.width):
            click.echo(line)
    else:
        warn(f"there are no snapshots yet in this catalog ({escaped(place)})")


def protections_of(catalog: Catalog, rows: Sequence[SnapshotRow]) -> dict[str, Protection]:
    """Snapshot → its protection, of those that are to have one."""
    if not any(row.is_to_be_protected for row in rows):
        return {}
    # Only where it is needed: it would take part of the start of each list.
    from producer.catalog.protection import Protections

    protections = Protections(catalog)
    return {row.snapshot_id: found for row in rows if (found := protections.of(row)) is not None}


def chosen(
    rows: Sequence[SnapshotRow], *, volume: str | None, tags: Sequence[str], last: int | None
) -> list[SnapshotRow]:
    """Those of a volume, with one of the tags; of these the last ones of each volume, in their order."""
    fitting = [row for row in rows if volume in (None, row.volume) and (not tags or not set(tags).isdisjoint(row.tags))]
    if last is None:
        return fitting
    of_volume: dict[str, list[str]] = {}
    for row in fitting:
        of_volume.setdefault(row.volume, []).append(row.snapshot_id)
    kept = {snapshot_id for ids in of_volume.values() for snapshot_id in ids[-last:]}
    return [row for row in fitting if row.snapshot_id in kept]


def _state(row: SnapshotRow, incomplete: Sequence[Incomplete], protection: Protection | None) -> str:
    lacks = protection is not None and protection.unprotected_count
    words = ("pinned" if row.pinned else "", in_words(incomplete), "not all protected" if lacks else "")
    return ", ".join(filter(None, words))


def _pools(rows: Sequence[SnapshotRow]) -> list[str]:
    """Nothing where all are in one pool."""
    has_several = len({row.pool_id for row in rows}) > 1
    return [row.pool_id[:8] if has_several else "" for row in rows]


def _cells(row: SnapshotRow) -> tuple[str, ...]:
    return (
        row.snapshot_id[:8],
        local_time(row.started_at),
        age_of(row.started_at),
        row.volume,
        str(row.files_count),
        format_size(row.bytes_source),
        format_size(row.bytes_stored),
        escaped(",".join(row.tags)),
        escaped(" ".join(source.path for source in row.sources)),
    )


def _json_row(row: SnapshotRow, incomplete: Sequence[Incomplete]) -> SnapshotLine:
    return {
        "message_type": "snapshot",
        "snapshot_id": row.snapshot_id,
        "volume": row.volume,
        "pool_id": row.pool_id,
        "mode": row.mode,
        "hostname": row.hostname,
        "tags": list(row.tags),
        "pinned": row.pinned,
        "description": row.description,
        "sources": list(row.sources),
        "started": rfc3339(row.started_at),
        "sealed": rfc3339(row.sealed_at) if row.sealed_at else None,
        "files": row.files_count,
        "bytes_source": row.bytes_source,
        "bytes_stored": row.bytes_stored,
        "threshold_bytes": row.threshold_bytes,
        "segments": row.segments_count,
        "incomplete": list(incomplete),
    }
