"""Shows devices, as a table or as JSON rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.show.counts import counted
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.protection import json_unprotected, unprotected_in_words
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339, with_age
from producer.configuration.values.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.protection import Unprotected
    from producer.catalog.tables.devices import DeviceRow
    from producer.cli.show.json_types.lists import DeviceLine
    from producer.pool.losses.at_risk import AtRisk

_HEADER: tuple[str, ...] = ("device", "state", "since", "free", "capacity", "pool", "folder", "why")
_SELDOM = ("pool", "since", "capacity", "folder")


def show_devices(
    call: Call,
    rows: Iterable[DeviceRow],
    risks: Mapping[str, AtRisk] | None = None,
    unprotected: Mapping[str, Unprotected] | None = None,
) -> None:
    """``risks``: device id → what would be lost with it; ``unprotected``: what has less than it should.

    None leaves it out.
    """
    if call.json:
        for row in rows:
            risk = {} if risks is None else _json_risk(risks.get(row.device_id))
            lacks = {} if unprotected is None else json_unprotected(unprotected.get(row.device_id))
            write_row({**_json_row(row), **risk, **lacks})
        return
    rows = list(rows)
    header, cells = _HEADER, [_cells(row) for row in rows]
    if any(row.site for row in rows):
        header, cells = (*header, "site"), [(*line, row.site) for line, row in zip(cells, rows, strict=True)]
    if unprotected:
        header = (*header, "unprotected")
        cells = [
            (*line, unprotected_in_words(unprotected.get(row.device_id))) for line, row in zip(cells, rows, strict=True)
        ]
    if risks is not None:
        header = (*header, "would be lost")
        cells = [(*line, _risk_in_words(risks.get(row.device_id))) for line, row in zip(cells, rows, strict=True)]
    for line in lines_of(header, cells, right="===>>=", seldom=_SELDOM, width=call.width):
        click.echo(line)


def _risk_in_words(risk: AtRisk | None) -> str:
    if risk is None:
        return "nothing"
    files = f"{counted(risk.files_count, 'file')}, {format_size(risk.size_bytes)}"
    return f"{files}; of {counted(risk.snapshots_count, 'snapshot')}"


def _json_risk(risk: AtRisk | None) -> dict[str, Any]:
    fields = (0, 0, 0) if risk is None else (risk.snapshots_count, risk.files_count, risk.size_bytes)
    return {"at_risk": dict(zip(("snapshots", "files", "bytes"), fields, strict=True))}


def _cells(row: DeviceRow) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.state}, rotating" if row.rotating else row.state,
        with_age(row.since),
        format_size(row.free_bytes),
        format_size(row.capacity_bytes),
        row.pool_id[:8],
        escaped(row.path),
        escaped(row.why),
    )


def _json_row(row: DeviceRow) -> DeviceLine:
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
        "site": row.site,
        "rotating": row.rotating,
    }
