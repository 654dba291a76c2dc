"""What restore and check share: which of the snapshot's devices are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.observer import Trouble
from producer.pool.decide import is_readable
from producer.pool.device_reports import ask_for_reports
from producer.pool.members import record_not_found, record_returned
from producer.run.session import RunSession
from tasks.errors import NotADeviceError


def pools_there(session: RunSession) -> set[str]:
    """The pools of the named devices that are there with a marker."""
    reports = ask_for_reports(session, may_lose=session.paths).wait()
    return {report.pool_id for report in reports.values() if is_readable(report)}


def present_devices(
    session: RunSession, snapshots: Iterable[SnapshotRow], *, and_pools: Collection[str] = ()
) -> dict[str, str]:
    """Device id → name, of the named devices that are there with a marker, and of a pool of these snapshots, or these.

    Reports each device that is not there as a trouble; raises NotADeviceError when none is there.
    """
    reports = ask_for_reports(session, may_lose=session.paths).wait()
    record_returned(session.catalog, reports.values())
    pools = {snapshot.pool_id for snapshot in snapshots}
    present: dict[str, str] = {}
    absent: dict[str, str] = {}
    for name, report in reports.items():
        if not is_readable(report):
            absent[name] = report.detail or f"{session.paths[name]} is {report.condition}"
        elif pools and report.pool_id not in pools | set(and_pools):
            absent[name] = f"{session.paths[name]} holds device {report.marker_name} of another pool"
        else:
            present[report.device_id] = name
    gone = {name: why for name, why in absent.items() if not is_readable(reports[name])}
    record_not_found(session.catalog, gone, session.paths)
    for name, why in absent.items():
        session.observer.trouble(Trouble(code="device-absent", message=f"device {name} is absent: {why}"))
    if not present:
        raise NotADeviceError(
            "no device is available: " + "; ".join(f"{name}: {why}" for name, why in absent.items()),
            hint="mount a device of the snapshot, and name its folder with --device",
        )
    return present
