"""The survey as Prometheus metrics.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric

from producer.monitor.metrics.device_metrics import of_devices
from producer.monitor.metrics.metric_families import Gauge, labelled, of_each, plain
from producer.monitor.overview import VolumeStatus
from producer.monitor.survey import Survey

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COLOURS = {"green": 0, "yellow": 1, "red": 2}


def metrics_text(survey: Survey, release: str) -> bytes:
    """All metrics in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(list(families(survey, release))))
    return generate_latest(registry)


def families(survey: Survey, release: str) -> Iterator[Metric]:
    """Each metric once, with all its samples."""
    yield labelled("segfleet_build_info", "The release that made these metrics.", ["version"], [((release,), 1)])
    yield plain("segfleet_verdict", "0: all is well, 1: look at it soon, 2: act now.", _COLOURS[survey.verdict.colour])
    yield _problems(survey)
    yield from of_each("volume", _VOLUME_GAUGES, [(row.volume, row) for row in survey.volumes])
    yield from of_devices(survey)
    yield from _of_checks(survey)
    yield from _of_fleet(survey)


class _Collector:
    def __init__(self, found: list[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return self._found


def _problems(survey: Survey) -> Metric:
    counts = dict.fromkeys(("yellow", "red"), 0)
    for problem in survey.verdict.problems:
        counts[problem.colour] += 1
    samples = [((colour,), count) for colour, count in counts.items()]
    return labelled("segfleet_problems", "Problems that status shows.", ["colour"], samples)


# ---- volumes


def _of_summary(key: str) -> Callable[[VolumeStatus], float | None]:
    def value(row: VolumeStatus) -> float | None:
        summary = row.last_ended.summary if row.last_ended is not None else None
        found = (summary or {}).get(key)
        return found if isinstance(found, int | float) else None

    return value


def _last_success(row: VolumeStatus) -> float | None:
    """The seal, or a later backup that found nothing to store."""
    last, sealed = row.last_ended, row.sealed
    moments = [sealed.sealed_at] if sealed is not None else []
    moments += [last.ended_at] if last is not None and last.exit_code == 0 else []
    return max((moment.timestamp() for moment in moments if moment is not None), default=None)


def _last_exit_code(row: VolumeStatus) -> float | None:
    return row.last_ended.exit_code if row.last_ended is not None else None


def _last_run(row: VolumeStatus) -> float | None:
    return row.last_ended.started_at.timestamp() if row.last_ended is not None else None


def _duration(row: VolumeStatus) -> float | None:
    last = row.last_ended
    return (last.ended_at - last.started_at).total_seconds() if last is not None and last.ended_at else None


def _next_due(row: VolumeStatus) -> float | None:
    return row.reservations[0].next_due.timestamp() if row.reservations else None


def _source_bytes(row: VolumeStatus) -> float | None:
    return row.sealed.bytes_source if row.sealed is not None else None


def _stored_bytes(row: VolumeStatus) -> float | None:
    return row.sealed.bytes_stored if row.sealed is not None else None


def _files(row: VolumeStatus) -> float | None:
    return row.sealed.files_count if row.sealed is not None else None


def _running_since(row: VolumeStatus) -> float | None:
    return row.lock.since.timestamp() if row.lock is not None else None


def _running(row: VolumeStatus, value: float) -> float | None:
    return value if row.lock is not None else None


_VOLUME_GAUGES: tuple[Gauge[VolumeStatus], ...] = (
    ("last_success_timestamp_seconds", "When the last backup ended that left a complete snapshot.", _last_success),
    ("last_run_timestamp_seconds", "When the last backup that has ended began.", _last_run),
    ("last_exit_code", "Exit code of the last backup: 0 done, 3 in part, else failed.", _last_exit_code),
    ("last_duration_seconds", "How long the last backup took.", _duration),
    ("last_errors", "Files and folders that the last backup could not store.", _of_summary("errors")),
    ("last_read_bytes", "What the last backup read.", _of_summary("bytes_read")),
    ("last_stored_bytes", "What the last backup wrote to devices.", _of_summary("bytes_stored")),
    (
        "last_rerouted_segments",
        "Segments that the last backup moved to another device.",
        _of_summary("segments_rerouted"),
    ),
    ("next_due_timestamp_seconds", "When the next scheduled backup is due.", _next_due),
    ("source_bytes", "Size of all files of the newest snapshot.", _source_bytes),
    ("stored_bytes", "Bytes that the newest snapshot added to the devices.", _stored_bytes),
    ("files", "Files of the newest snapshot.", _files),
    ("running", "1 while a backup runs.", lambda row: float(row.lock is not None)),
    ("running_since_timestamp_seconds", "When it began.", _running_since),
    ("running_done_bytes", "What it has stored of its plan.", lambda row: _running(row, row.bytes_done)),
    ("running_total_bytes", "What its plan holds.", lambda row: _running(row, row.bytes_total)),
)


def _of_checks(survey: Survey) -> Iterator[Metric]:
    last = survey.last_check
    if last is not None and last.ended_at is not None:
        at = last.ended_at.timestamp()
        yield plain("segfleet_last_check_timestamp_seconds", "When the last check of the devices ended.", at)
        errors = (last.summary or {}).get("errors", 0 if last.exit_code == 0 else 1)
        yield plain("segfleet_last_check_errors", "What it found damaged or missing.", errors)


def _of_fleet(survey: Survey) -> Iterator[Metric]:
    if survey.fleet is None:
        return
    yield plain("segfleet_broker_up", "1 if the configured broker answers.", survey.fleet.is_broker_up)
    counts = dict.fromkeys((device.name for device in survey.devices), 0)
    for lease in survey.fleet.leases:
        counts[lease.device] = counts.get(lease.device, 0) + 1
    yield labelled(
        "segfleet_agents",
        "Workers that serve the device now.",
        ["device"],
        [((name,), n) for name, n in counts.items()],
    )
