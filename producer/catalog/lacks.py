"""Which snapshots are incomplete now.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.snapshots.rows import LackRow
from producer.summaries import Incomplete

_READABLE = ("live", "full", "read-only")


def still_lacking(
    lacks: Iterable[LackRow], devices: Iterable[DeviceRow], sealed_at: datetime | None
) -> tuple[Incomplete, ...]:
    """What a snapshot still lacks of what it lacked when it was sealed.

    A device that can be read again no longer counts, except for what no device has stored, and what is damaged on
    it.
    """
    away = {device.device_id: device for device in devices if device.state not in _READABLE}
    found = []
    for lack in lacks:
        device = away.get(lack.device_id)
        if device is not None:
            found.append(
                Incomplete(
                    device=device.name,
                    files=max(lack.files_count, lack.damaged_files_count),
                    bytes=max(lack.size_bytes, lack.damaged_bytes),
                    lost=device.state == "lost",
                    since=_in_words(device.since),
                    rotating=device.is_expected_away and not (lack.omitted_files_count or lack.damaged_since),
                )
            )
        elif lack.damaged_since:
            # What was stored nowhere at the seal may be among it.
            found.append(
                Incomplete(
                    device=lack.device,
                    files=max(lack.damaged_files_count, lack.omitted_files_count),
                    bytes=max(lack.damaged_bytes, lack.omitted_bytes),
                    since=lack.damaged_since,
                    damaged=True,
                )
            )
        elif lack.omitted_files_count and sealed_at is not None:
            found.append(
                Incomplete(
                    device=lack.device,
                    files=lack.omitted_files_count,
                    bytes=lack.omitted_bytes,
                    since=_in_words(sealed_at),
                )
            )
    return tuple(found)


def _in_words(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
