"""Which snapshots are incomplete now.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC

from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.summaries import Incomplete


def still_lacking(lacks: Iterable[LackRow], devices: Iterable[DeviceRow]) -> tuple[Incomplete, ...]:
    """Of what a snapshot lacked when it was sealed, what it lacks now: a device that has returned counts no more."""
    away = {device.device_id: device for device in devices if device.state not in ("live", "full")}
    return tuple(
        Incomplete(
            device=away[lack.device_id].name,
            files=lack.files_count,
            bytes=lack.size_bytes,
            lost=away[lack.device_id].state == "lost",
            since=f"{away[lack.device_id].since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        )
        for lack in lacks
        if lack.device_id in away
    )
