"""``segfleet stats``: where the space goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import click

from producer.cli.call import Call
from producer.cli.catalog import opened_catalog
from producer.cli.elsewhere.fleet_command import FleetCommand
from producer.cli.options.completing import known_volumes
from producer.cli.options.shared import config_option, json_option, wide_option
from producer.cli.show.chart import chart
from producer.cli.show.json_lines import write_row
from producer.cli.show.rows.parity_space import parity_line, parity_row
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339
from producer.cli.show.wrapped import say, warn
from producer.configuration.values.sizes import format_size
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.cli.show.json_types.states import (
        DeviceSpaceLine,
        GrowthLine,
        HeldJson,
        ScatteredLine,
        VolumeSpaceLine,
    )
    from producer.monitor.space.space import DeviceSpace, Held, VolumeSpace

_VOLUMES = ("volume", "snapshots", "newest", "all", "stored", "ratio", "unused", "")
_DEVICES = ("device", "snapshots", "state", "source", "stored", "ratio", "unused", "")
_SELDOM = ("ratio", "newest", "source", "snapshots")
_COLUMNS_COUNT = 40
#: Lines for each volume.
_SCATTERED_COUNT = 5


@click.command(cls=FleetCommand)
@click.argument("volume", required=False, shell_complete=known_volumes)
@wide_option
@json_option
@config_option
@click.pass_obj
def stats(call: Call, volume: str | None) -> None:
    """Show how much space each volume and each device takes, or VOLUME alone, and how it grew."""
    from producer.monitor.space.parity_space import parity_space
    from producer.monitor.space.space import space

    with opened_catalog(call) as catalog:
        volumes, devices = space(catalog, volume)
        # Groups have members of several volumes.
        parity = parity_space(catalog) if volume is None else None
    if volume is not None and not volumes:
        raise UsageError(f"there is no snapshot of volume {volume}", hint="segfleet snapshots lists all of them")
    if call.json:
        _print_rows(volumes, devices)
        if parity is not None:
            write_row(parity_row(parity))
    elif volumes:
        _print_tables(volumes, devices, call.width)
        if parity is not None:
            say(parity_line(parity))
    else:
        warn("there are no snapshots yet")


def _print_tables(volumes: Sequence[VolumeSpace], devices: Sequence[DeviceSpace], width: int | None) -> None:
    for line in lines_of(
        _VOLUMES, [_volume_cells(one) for one in volumes], right=" >>>>>>>", seldom=_SELDOM, width=width
    ):
        click.echo(line)
    click.echo()
    for line in lines_of(
        _DEVICES, [_device_cells(one) for one in devices], right=" > >>>>>", seldom=_SELDOM, width=width
    ):
        click.echo(line)
    click.echo()
    for one in volumes:
        if one.growth:
            say(_growth_line(one))
    for one in volumes:
        for line in _scattered_lines(one):
            say(line)


def _scattered_lines(one: VolumeSpace) -> Iterator[str]:
    for file in one.scattered[:_SCATTERED_COUNT]:
        name, size = escaped(file.path), format_size(file.size_bytes)
        yield f"scattered: {name}, {size}, lies in {file.places_count:,} places, and is slow to restore"
    more = len(one.scattered) - _SCATTERED_COUNT
    if more > 0:
        yield f"scattered: {more:,} more files of {escaped(one.volume)}; --json names them"


def _volume_cells(one: VolumeSpace) -> tuple[str, ...]:
    sizes = (one.bytes_newest, one.bytes_source, one.held.bytes_stored)
    return (escaped(one.volume), str(one.snapshots_count), *map(format_size, sizes), *_shares(one.ratio, one.held))


def _device_cells(one: DeviceSpace) -> tuple[str, ...]:
    sizes = (one.held.bytes_source, one.held.bytes_stored)
    name = escaped(one.row.name)
    return (name, str(one.snapshots_count), one.row.state, *map(format_size, sizes), *_shares(one.ratio, one.held))


def _shares(ratio: float | None, held: Held) -> tuple[str, str, str]:
    return ("" if ratio is None else f"{ratio:.2f}", format_size(held.bytes_unused), f"{held.unused_share:.1%}")


def _growth_line(one: VolumeSpace) -> str:
    points = [(point.started_at, point.bytes_stored_total) for point in one.growth]
    drawn = chart(points, columns_count=_COLUMNS_COUNT, encoding=sys.stdout.encoding)
    (first, first_bytes), (last, last_bytes) = points[0], points[-1]
    if len(points) == 1:
        return f"stored of {escaped(one.volume)}: {format_size(first_bytes)} on {first:%Y-%m-%d}"
    grown = f"{format_size(first_bytes)} on {first:%Y-%m-%d}, {format_size(last_bytes)} on {last:%Y-%m-%d}"
    return f"stored of {escaped(one.volume)}: {drawn}  {grown}"


def _print_rows(volumes: Sequence[VolumeSpace], devices: Sequence[DeviceSpace]) -> None:
    for row in chain(
        map(_volume_json, volumes),
        map(_device_json, devices),
        chain.from_iterable(chain(_scattered_json(one), _growth_json(one)) for one in volumes),
    ):
        write_row(row)


def _volume_json(one: VolumeSpace) -> VolumeSpaceLine:
    return {
        "message_type": "volume",
        "volume": one.volume,
        "snapshots": one.snapshots_count,
        "bytes_newest": one.bytes_newest,
        "bytes_source": one.bytes_source,
        **_held_json(one.ratio, one.held),
    }


def _device_json(device: DeviceSpace) -> DeviceSpaceLine:
    return {
        "message_type": "device",
        "device": device.row.name,
        "device_id": device.row.device_id,
        "state": device.row.state,
        "snapshots": device.snapshots_count,
        "bytes_source": device.held.bytes_source,
        **_held_json(device.ratio, device.held),
    }


def _scattered_json(one: VolumeSpace) -> Iterator[ScatteredLine]:
    for file in one.scattered:
        yield {
            "message_type": "scattered",
            "volume": one.volume,
            "path": file.path,
            "places": file.places_count,
            "bytes": file.size_bytes,
        }


def _growth_json(one: VolumeSpace) -> Iterator[GrowthLine]:
    for point in one.growth:
        yield {
            "message_type": "growth",
            "volume": one.volume,
            "snapshot_id": point.snapshot_id,
            "started": rfc3339(point.started_at),
            "bytes_stored": point.bytes_stored,
            "bytes_stored_total": point.bytes_stored_total,
        }


def _held_json(ratio: float | None, held: Held) -> HeldJson:
    return {
        "bytes_stored": held.bytes_stored,
        "ratio": None if ratio is None else round(ratio, 2),
        "bytes_unused": held.bytes_unused,
        "unused_share": round(held.unused_share, 4),
    }
