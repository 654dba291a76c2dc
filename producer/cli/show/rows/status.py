"""Shows the verdict, the volumes and the devices, as tables or as JSON rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from producer.cli.show.rows.incomplete import in_words
from producer.cli.show.rows.locks import lock_json
from producer.cli.show.rows.protection import json_unprotected
from producer.cli.show.rows.reservations import reservation_json, reservation_lines
from producer.cli.show.safe_text import escaped
from producer.cli.show.tables import lines_of
from producer.cli.show.times import rfc3339, with_age
from producer.cli.show.wrapped import wrapped
from producer.configuration.values.ages import format_age
from producer.configuration.values.sizes import format_size

if TYPE_CHECKING:
    from producer.catalog.tables.devices import DeviceRow
    from producer.catalog.tables.reservations import ReservationRow
    from producer.cli.show.json_types.states import DeviceStateLine, HealthLine, OtherRunLine, VolumeStateLine
    from producer.monitor.other_runs import OtherRun
    from producer.monitor.overview import VolumeStatus
    from producer.monitor.space.sums import Protected
    from producer.monitor.verdict import Verdict

_VOLUMES = (
    *("volume", "state", "age", "next", "snapshot", "segments", "of", "size"),
    *("last run", "exit", "held by", "why"),
)
_VOLUMES_RIGHT = " => =>>>=>"
_SELDOM_OF_VOLUMES = ("of", "segments", "last run", "snapshot", "exit", "held by", "size")
_DEVICES = ("device", "state", "since", "free", "folder", "why")
_SELDOM_OF_DEVICES = ("since", "folder")


class Shown(Struct, frozen=True, kw_only=True):
    """Of one moment."""

    verdict: Verdict
    volumes: Sequence[VolumeStatus]
    devices: Sequence[DeviceRow]
    #: Restores, checks and the like.
    others: Sequence[OtherRun] = ()
    #: Scheduled checks and prunes.
    upkeep: Sequence[ReservationRow] = ()
    protected: Protected | None = None


def status_rows(shown: Shown) -> list[Mapping[str, object]]:
    return [
        _verdict_json(shown.verdict),
        *(_volume_json(row, shown.protected) for row in shown.volumes),
        *map(_other_json, shown.others),
        *({"message_type": "reservation", **reservation_json(row)} for row in shown.upkeep),
        *(_device_json(row, shown.protected) for row in shown.devices),
    ]


def status_lines(shown: Shown, now: datetime, width: int | None) -> list[str]:
    reservations = [*chain.from_iterable(row.reservations for row in shown.volumes), *shown.upkeep]
    volumes = [_volume_cells(row, now) for row in shown.volumes]
    header: Sequence[str] = _DEVICES
    devices: list[tuple[str, ...]] = [_device_cells(row, now) for row in shown.devices]
    if any(row.site for row in shown.devices):
        header = (*_DEVICES, "site")
        devices = [(*cells, row.site) for cells, row in zip(devices, shown.devices, strict=True)]
    sections = (
        [*_verdict_lines(shown.verdict, width)],
        [*_volume_lines(volumes, width)] if volumes else [],
        [*map(_other_line, shown.others)],
        [*reservation_lines(reservations, width)] if reservations else [],
        [*lines_of(header, devices, right=" ==>", seldom=_SELDOM_OF_DEVICES, width=width)] if devices else [],
    )
    return [*chain.from_iterable(["", *section] for section in sections if section)][1:]


def _volume_lines(rows: Sequence[tuple[str, ...]], width: int | None) -> Iterator[str]:
    return lines_of(_VOLUMES, rows, right=_VOLUMES_RIGHT, seldom=_SELDOM_OF_VOLUMES, width=width)


def _verdict_lines(verdict: Verdict, width: int | None) -> Iterator[str]:
    first, *more = wrapped(f"{verdict.colour}: {escaped(verdict.sentence)}", width)
    yield first.replace(verdict.colour, click.style(verdict.colour, fg=verdict.colour, bold=True), 1)
    yield from more
    for problem in verdict.problems:
        yield from wrapped(f"  {escaped(problem.reason)}", width)
        yield from wrapped(f"    {escaped(problem.remedy)}", width)


def _verdict_json(verdict: Verdict) -> HealthLine:
    return {
        "message_type": "health",
        "colour": verdict.colour,
        "sentence": verdict.sentence,
        "problems": list(verdict.problems),
    }


def _volume_cells(row: VolumeStatus, now: datetime) -> tuple[str, ...]:
    return (
        row.volume,
        _state(row),
        format_age(now - row.good_at) if row.good_at is not None else "",
        with_age(row.next_due, now) if row.next_due is not None else "",
        row.snapshot_id[:8],
        str(row.segments_stored),
        str(row.segments_total),
        format_size(row.bytes_source),
        with_age(row.last_run_at, now) if row.last_run_at is not None else "",
        "" if row.last_exit_code is None else str(row.last_exit_code),
        "" if row.lock is None else escaped(f"pid {row.lock.owner.pid} on {row.lock.owner.host}"),
        "; ".join(filter(None, (in_words(row.incomplete), escaped(row.reason)))),
    )


def _state(row: VolumeStatus) -> str:
    """The state; while the volume is being backed up, the phase and how far it is."""
    if row.phase == "storing" and row.bytes_total:
        return f"storing {row.bytes_done * 100 // row.bytes_total} %"
    return row.phase or row.state


def _volume_json(row: VolumeStatus, protected: Protected | None) -> VolumeStateLine:
    line: VolumeStateLine = {
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
        "incomplete": list(row.incomplete),
        "last_good": rfc3339(row.good_at) if row.good_at is not None else None,
        "next_due": rfc3339(row.next_due) if row.next_due is not None else None,
        "last_run": rfc3339(row.last_run_at) if row.last_run_at is not None else None,
        "last_exit_code": row.last_exit_code,
        "lock": lock_json(row.lock) if row.lock is not None else None,
        "reservations": [reservation_json(reservation) for reservation in row.reservations],
    }
    if protected is not None and (found := protected.of_volumes.get(row.volume)) is not None:
        line["protection"] = found.fields
    return line


def _other_line(run: OtherRun) -> str:
    ids = run.snapshot_ids
    what = f" of snapshot {ids[0][:8]}" if len(ids) == 1 else f" of {len(ids)} snapshots" if ids else ""
    return escaped(f"running: {run.purpose}{what}, since {with_age(run.since)}: {run.held_by}")


def _other_json(run: OtherRun) -> OtherRunLine:
    return {
        "message_type": "other",
        "purpose": run.purpose,
        "since": rfc3339(run.since),
        "snapshot_ids": list(run.snapshot_ids),
        "held_by": run.held_by,
    }


def _device_cells(device: DeviceRow, now: datetime) -> tuple[str, ...]:
    return (
        device.name,
        f"{device.state}, rotating" if device.rotating else device.state,
        with_age(device.since, now),
        format_size(device.free_bytes),
        escaped(device.path),
        escaped(device.why),
    )


def _device_json(device: DeviceRow, protected: Protected | None) -> DeviceStateLine:
    line: DeviceStateLine = {
        "message_type": "device",
        "name": device.name,
        "device_id": device.device_id,
        "state": device.state,
        "reason": device.reason,
        "since": rfc3339(device.since),
        "free_bytes": device.free_bytes,
        "path": device.path,
        "site": device.site,
        "rotating": device.rotating,
    }
    if protected is not None and (found := protected.unprotected) is not None:
        line["unprotected"] = json_unprotected(found.get(device.device_id))["unprotected"]
    return line
