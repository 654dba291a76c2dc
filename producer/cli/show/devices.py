"""Shows devices, as a table or as JSON rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.show.json_lines import write_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339
from producer.configuration.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.tables.devices import DeviceRow

_HEADER = ("device", "state", "since", "free", "capacity", "pool", "folder", "why")


def show_devices(call: Call, rows: Iterable[DeviceRow]) -> None:
    if call.json:
        for row in rows:
            write_row(_json_row(row))
        return
    for line in lines_of(_HEADER, [_cells(row) for row in rows], right="   >>"):
        click.echo(line)


def _cells(row: DeviceRow) -> tuple[str, ...]:
    return (
        row.name,
        row.state,
        rfc3339(row.since),
        format_size(row.free_bytes),
        format_size(row.capacity_bytes),
        row.pool_id[:8],
        escaped(row.path),
        escaped(row.reason),
    )


def _json_row(row: DeviceRow) -> dict[str, Any]:
    return {
        "message_type": "device",
        "name": row.name,
        "device_id": row.device_id,
        "pool_id": row.pool_id,
        "state": row.state,
        "reason": row.reason,
        "since": rfc3339(row.since),
        "capacity_bytes": row.capacity_bytes,
        "free_bytes": row.free_bytes,
        "path": row.path,
    }
