"""``segfleet status``: volumes, reservations and devices, as the catalog knows them."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.commands.care.unlock import lock_json
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.shared import config_option, json_option
from producer.cli.show.incomplete import in_words
from producer.cli.show.json_lines import write_row
from producer.cli.show.reservations import reservation_json, reservation_lines
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339
from producer.cli.surveyed import write_page
from producer.configuration.sizes import format_size
from producer.host.behalf import HERE
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.catalog.tables.devices import DeviceRow
    from producer.monitor.overview import VolumeStatus

_VOLUMES = ("volume", "state", "snapshot", "segments", "of", "size", "last run", "exit", "held by", "why")
_DEVICES = ("device", "state", "since", "free", "folder", "why")

_LOOK_EVERY_S = 1.0


class StatusCommand(FleetCommand):
    """The broker knows the fleet and its runs; a manager is asked only if it is named."""

    def invoke(self, ctx: click.Context) -> Any:
        call = ctx.ensure_object(Call)
        html = ctx.params.pop("html")
        if html is not None:
            return write_page(call, html)
        run, watch, manager = ctx.params.pop("run"), ctx.params["watch"], self.manager_named(ctx)
        of_catalog = manager is not None and run is None and (manager == HERE or not watch)
        if call.broker_url is None or call.is_on_behalf or of_catalog:
            if run is not None:
                raise UsageError(
                    "status of a run needs a broker", hint="set [broker] url in the configuration; see docs/fleet.md"
                )
            return super().invoke(ctx)
        # Only here: the imports of the broker take a third of a second.
        from producer.cli.elsewhere.fleet_status import show_fleet, show_run

        if run is None and not watch:
            return show_fleet(call)
        return show_run(call, run or "", watch=watch, manager=manager if run is None else None)


@click.command(cls=StatusCommand)
@click.argument("run", required=False)
@click.option(
    "--watch",
    is_flag=True,
    help="Keep showing until nothing runs; in a fleet: show RUN, or the last one, until it ends.",
)
@click.option("--html", metavar="FILE", help="Write the page of `segfleet page`, as it is now, into FILE.")
@json_option
@config_option
@click.pass_obj
def status(call: Call, watch: bool) -> None:
    """Show each volume's last or current run, its reservations, and each device's state.

    Reads only the catalog; `segfleet devices` asks the devices themselves.  In a fleet: shows the managers, the workers
    and the last runs, or only RUN; with --manager, what that manager's catalog says.
    """
    from producer.catalog.tables.devices import without_replaced
    from producer.monitor.overview import volumes

    shown: list[Any] = []
    with opened_catalog(call) as catalog:
        while True:
            rows, devices = volumes(catalog), without_replaced(catalog.devices.all())
            found = _objects(rows, devices) if call.json else _lines(rows, devices)
            if found != shown:
                _show(found, anew=watch)
            if not watch or all(row.lock is None for row in rows):
                return
            shown = found
            time.sleep(_LOOK_EVERY_S)


def _show(found: list[Any], *, anew: bool) -> None:
    if anew:
        # Does nothing unless standard output is a terminal.
        click.clear()
    for row in found:
        if isinstance(row, str):
            click.echo(row)
        else:
            write_row(row)


def _objects(rows: list[VolumeStatus], devices: list[DeviceRow]) -> list[dict[str, Any]]:
    return [*map(_volume_json, rows), *map(_device_json, devices)]


def _lines(rows: list[VolumeStatus], devices: list[DeviceRow]) -> list[str]:
    reservations = [reservation for row in rows for reservation in row.reservations]
    return [
        *lines_of(_VOLUMES, [_volume_cells(row) for row in rows], right="   >>> >"),
        "",
        *([*reservation_lines(reservations), ""] if reservations else []),
        *lines_of(_DEVICES, [_device_cells(device) for device in devices], right="   >"),
    ]


def _volume_cells(row: VolumeStatus) -> tuple[str, ...]:
    return (
        row.volume,
        _state(row),
        row.snapshot_id[:8],
        str(row.segments_stored),
        str(row.segments_total),
        format_size(row.bytes_source),
        rfc3339(row.last_run_at) if row.last_run_at is not None else "",
        "" if row.last_exit_code is None else str(row.last_exit_code),
        "" if row.lock is None else escaped(f"pid {row.lock.owner.pid} on {row.lock.owner.host}"),
        "; ".join(filter(None, (in_words(row.incomplete), escaped(row.reason)))),
    )


def _state(row: VolumeStatus) -> str:
    """The state; while the volume is being backed up, the phase and how far it is."""
    if row.phase == "storing" and row.bytes_total:
        return f"storing {row.bytes_done * 100 // row.bytes_total} %"
    return row.phase or row.state


def _volume_json(row: VolumeStatus) -> dict[str, Any]:
    return {
        "message_type": "volume",
        "volume": row.volume,
        "state": row.state,
        "phase": row.phase,
        "reason": row.reason,
        "snapshot_id": row.snapshot_id,
        "segments_stored": row.segments_stored,
        "segments_failed": row.segments_failed,
        "segments": row.segments_total,
        "bytes_done": row.bytes_done,
        "bytes_total": row.bytes_total,
        "bytes_source": row.bytes_source,
        "incomplete": [dataclasses.asdict(lack) for lack in row.incomplete],
        "last_run": rfc3339(row.last_run_at) if row.last_run_at is not None else None,
        "last_exit_code": row.last_exit_code,
        "lock": lock_json(row.lock) if row.lock is not None else None,
        "reservations": [reservation_json(reservation) for reservation in row.reservations],
    }


def _device_cells(device: DeviceRow) -> tuple[str, ...]:
    return (
        device.name,
        device.state,
        rfc3339(device.since),
        format_size(device.free_bytes),
        escaped(device.path),
        escaped(device.reason),
    )


def _device_json(device: DeviceRow) -> dict[str, Any]:
    return {
        "message_type": "device",
        "name": device.name,
        "device_id": device.device_id,
        "state": device.state,
        "reason": device.reason,
        "since": rfc3339(device.since),
        "free_bytes": device.free_bytes,
        "path": device.path,
    }
