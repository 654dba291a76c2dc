"""The progress of a restore, as an observer sees it."""

from __future__ import annotations

from collections.abc import Iterable

from producer.observer import DeviceProgress, Progress
from producer.restore.planning.wanted import Wanted
from producer.run.session import RunSession


def restore_progress(session: RunSession, wanted: Wanted, devices: Iterable[str], bytes_restored: int) -> Progress:
    """``bytes_restored``: what receipts say; devices may have moved more."""
    courier = session.courier
    progress = {
        name: DeviceProgress(
            bytes_planned=0,
            bytes_done=courier.liveness.bytes_moved(name),
            segments_planned=0,
            segments_done=0,
            state="live" if name in courier.live else "dead",
        )
        for name in devices
    }
    under_way = sum(device.bytes_done for device in progress.values())
    return Progress(
        phase="restoring",
        files_count=wanted.files_count,
        bytes_total=wanted.bytes_total,
        bytes_done=min(max(bytes_restored, under_way), wanted.bytes_total),
        devices=progress,
    )
