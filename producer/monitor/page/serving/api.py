"""The survey as JSON, for ``/api/status``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from producer.catalog.protection import NONE_UNPROTECTED
from producer.catalog.tables.devices import DeviceRow
from producer.host.safe_text import escaped
from producer.monitor.other_runs import OtherRun
from producer.monitor.overview import VolumeStatus
from producer.monitor.running import RunningBackup
from producer.monitor.space.at_risk import NOTHING
from producer.monitor.survey import Survey


def status_json(survey: Survey) -> dict[str, Any]:
    """Names are escaped as in lists; times are RFC 3339, UTC."""
    return {
        "at": _time(survey.at),
        "verdict": survey.verdict.colour,
        "sentence": escaped(survey.verdict.sentence),
        "problems": [{key: escaped(text) for key, text in asdict(row).items()} for row in survey.verdict.problems],
        "volumes": [_volume(survey, row) for row in survey.volumes],
        "running": [_running(run) for run in survey.running],
        "others": [_other(run) for run in survey.others],
        "devices": [_device(survey, row) for row in survey.devices],
        "last_check": _time(survey.last_check.started_at) if survey.last_check is not None else None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _volume(survey: Survey, row: VolumeStatus) -> dict[str, Any]:
    last, sealed = row.last_ended, row.sealed
    protection = survey.sums.protected.of_volumes.get(row.volume)
    return {
        "volume": escaped(row.volume),
        "state": row.state,
        "snapshot_id": sealed.snapshot_id if sealed is not None else "",
        "last_good": _time(row.good_at),
        "last_exit_code": last.exit_code if last is not None else None,
        "next_due": _time(row.reservations[0].next_due if row.reservations else None),
        "last_check": _time(next((check.checked_at for check in survey.volume_checks.get(row.volume, ())), None)),
        "bytes_source": sealed.bytes_source if sealed is not None else 0,
        "bytes_stored": survey.sums.of_volumes.get(row.volume, (0, 0))[1],
        **({} if protection is None else {"protection": protection.fields}),
    }


def _running(run: RunningBackup) -> dict[str, Any]:
    return {
        "volume": escaped(run.volume),
        "snapshot_id": run.snapshot_id,
        "phase": run.phase,
        "since": _time(run.since),
        "bytes_done": run.bytes_done,
        "bytes_total": run.bytes_total,
        "devices": [asdict(device) for device in run.devices],
    }


def _other(run: OtherRun) -> dict[str, Any]:
    return {
        "purpose": escaped(run.purpose),
        "since": _time(run.since),
        "snapshot_ids": run.snapshot_ids,
        "held_by": escaped(run.held_by),
    }


def _device(survey: Survey, row: DeviceRow) -> dict[str, Any]:
    unprotected = survey.sums.protected.unprotected
    check = survey.sums.device_checks.get(row.device_id)
    risk = survey.at_risk.get(row.name, NOTHING) if survey.at_risk is not None else None
    return {
        "name": row.name,
        "state": row.state,
        "since": _time(row.since),
        "reason": escaped(row.reason),
        "last_check": _time(check.looked_at if check is not None else None),
        "capacity_bytes": row.capacity_bytes,
        "free_bytes": row.free_bytes,
        "bytes_stored": survey.sums.on_devices.get(row.device_id, 0),
        "files_at_risk": risk.files if risk is not None else None,
        "bytes_at_risk": risk.bytes if risk is not None else None,
        **({} if unprotected is None else {"unprotected": unprotected.get(row.device_id, NONE_UNPROTECTED).fields}),
    }
