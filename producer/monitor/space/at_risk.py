"""What would be lost with each device, as the last backup of each volume has found.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import msgspec

from producer.monitor.overview import VolumeStatus
from producer.summaries import DeviceRisk

NOTHING = DeviceRisk(files=0, bytes=0)


def at_risk(volumes: Iterable[VolumeStatus]) -> dict[str, DeviceRisk] | None:
    """Device → what of the newest snapshots would not come back if it failed now.

    Leaves out a volume whose last backup failed; None if no backup has found anything out.
    """
    known = [risks for risks in map(_of_summary, volumes) if risks is not None]
    found: dict[str, DeviceRisk] = {}
    for device, risk in ((device, risk) for risks in known for device, risk in risks.items()):
        so_far = found.get(device, NOTHING)
        found[device] = DeviceRisk(files=so_far.files + risk.files, bytes=so_far.bytes + risk.bytes)
    return found if known else None


def _of_summary(row: VolumeStatus) -> Mapping[str, DeviceRisk] | None:
    summary = row.last_ended.summary if row.last_ended is not None else None
    with suppress(msgspec.ValidationError):
        return msgspec.convert((summary or {}).get("at_risk"), dict[str, DeviceRisk])
    return None
