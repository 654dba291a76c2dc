"""``segfleet status``: volumes and devices, as the catalog knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from producer.cli.fleet_command import FleetCommand
from producer.cli.jsonlines import write_row
from producer.cli.options import config_option, json_option
from producer.cli.records import opened_catalog
from producer.cli.safe_text import escaped
from producer.cli.session import Session
from producer.cli.tables import lines_of
from producer.cli.times import rfc3339
from producer.cli.unlock import lock_json
from tasks.errors import UsageError
from tasks.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.rows import DeviceRow
    from producer.engine.overview import VolumeStatus

_VOLUMES = ("volume", "state", "snapshot", "segments", "of", "size", "last run", "exit", "held by", "why")
_DEVICES = ("device", "state", "since", "free", "folder", "why")


class StatusCommand(FleetCommand):
    """Of a fleet, and of its runs, the broker tells: no manager need be asked unless one is named."""

    def invoke(self, ctx: click.Context) -> Any:
        session = ctx.ensure_object(Session)
        run, watch = ctx.params.pop("run"), ctx.params.pop("watch")
        if session.broker_url is None or session.is_on_behalf or (self.manager_named(ctx) and run is None):
            if run is not None or watch:
                raise UsageError("there is no broker that could tell of runs", hint="see docs/fleet.md")
            return super().invoke(ctx)
        # Only here: the imports of the broker take a third of a second.
        from producer.cli.fleet_status import show_fleet, show_run

        return show_run(session, run or "", watch=watch) if run is not None or watch else show_fleet(session)


@click.command(cls=StatusCommand)
@click.argument("run", required=False)
@click.option("--watch", is_flag=True, help="In a fleet: show RUN, or the last one, until it ends.")
@json_option
@config_option
@click.pass_obj
def status(session: Session) -> None:
    """Show each volume's last run, or how far the present one is, and each device's state.

    Reads the catalog only; `segfleet devices` asks the devices themselves.  In a fleet: the managers and their last
    runs, or RUN; with --manager what that one's catalog says.
    """
    from producer.engine.overview import volumes

    with opened_catalog(session) as catalog:
        rows, devices = volumes(catalog), catalog.devices()
    if session.json:
        for row in rows:
            write_row(_volume_json(row))
        for device in devices:
            write_row(_device_json(device))
        return
    for line in lines_of(_VOLUMES, [_volume_cells(row) for row in rows], right="   >>> >"):
        click.echo(line)
    click.echo()
    for line in lines_of(_DEVICES, [_device_cells(device) for device in devices], right="   >"):
        click.echo(line)


def _volume_cells(row: VolumeStatus) -> tuple[str, ...]:
    return (
        row.volume,
        row.state,
        row.snapshot_id[:8],
        str(row.segments_stored),
        str(row.segments_total),
        format_size(row.bytes_source),
        rfc3339(row.last_run_at) if row.last_run_at is not None else "",
        "" if row.last_exit_code is None else str(row.last_exit_code),
        "" if row.lock is None else escaped(f"pid {row.lock.owner.pid} on {row.lock.owner.host}"),
        escaped(row.reason),
    )


def _volume_json(row: VolumeStatus) -> dict[str, Any]:
    return {
        "message_type": "volume",
        "volume": row.volume,
        "state": row.state,
        "reason": row.reason,
        "snapshot_id": row.snapshot_id,
        "segments_stored": row.segments_stored,
        "segments_failed": row.segments_failed,
        "segments": row.segments_total,
        "bytes_done": row.bytes_stored_source,
        "bytes_source": row.bytes_source,
        "last_run": rfc3339(row.last_run_at) if row.last_run_at is not None else None,
        "last_exit_code": row.last_exit_code,
        "lock": lock_json(row.lock) if row.lock is not None else None,
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
