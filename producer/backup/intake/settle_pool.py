"""Settles which devices take part in a backup, and takes new ones into the pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.ownership.lock_holder import NEW_DEVICES
from producer.pool.decide import PoolDecision, decide_pool, new_names, refuse_new
from producer.pool.device_reports import DeviceReports, adopt_devices, ask_for_reports
from producer.pool.known import folder_in_words, known_devices, known_where_named
from producer.pool.left_out import tell_left_out
from producer.pool.members import Member, record_absent, record_members
from producer.requests import BackupRequest
from producer.run.session import RunSession
from tasks.errors import NotADeviceError
from tasks.receipts import DeviceReport

#: Taking devices in takes a second or two; a device that hangs meanwhile is given up sooner than this.
_ADOPTION_S = 120.0


class SettledPool(Struct, frozen=True, kw_only=True):
    pool_id: str
    members: Mapping[str, Member]
    #: Devices of the pool that are not there → why.
    absent: Mapping[str, str]
    #: Those of the members that were empty folders before.
    new: frozenset[str]


def ask_devices(session: RunSession) -> DeviceReports:
    """A new device must answer; the run continues without a known one whose worker fails."""
    return ask_for_reports(session, may_lose=known_where_named(known_devices(session.catalog), session.paths))


def settle_pool(
    session: RunSession, request: BackupRequest, resumed: SnapshotRow | None, asked: DeviceReports
) -> SettledPool:
    """Decide by the answers of a complete set of reports; the devices that take part are in the catalog then.

    Raises UsageError, NotADeviceError, DeviceError, LockedError, InterruptedRun.
    """
    decision = _decide(session, request, resumed, asked)
    if not decision.adopt:
        return _take(session, decision, asked)
    with _alone_with_new_devices(session, request, decision):
        # Another run may have taken them in since they were asked.
        again = ask_devices(session)
        again.wait()
        return _take(session, _decide(session, request, resumed, again), again)


@contextmanager
def _alone_with_new_devices(session: RunSession, request: BackupRequest, decision: PoolDecision) -> Iterator[None]:
    if session.holder is None:
        yield
        return
    with session.holder.holding(
        NEW_DEVICES,
        purpose=f"first use of {', '.join(sorted(decision.adopt))} by {request.volume}",
        patience_s=_ADOPTION_S,
        on_wait=session.interrupt.check,
    ):
        yield


def _decide(
    session: RunSession, request: BackupRequest, resumed: SnapshotRow | None, asked: DeviceReports
) -> PoolDecision:
    decision = decide_pool(asked.reports, session.paths, known_devices(session.catalog), asked.hosts)
    if not request.new_devices:
        refuse_new(decision, session.paths)
    if resumed is not None and request.resume is not None and resumed.pool_id != decision.pool_id:
        # A user who names a snapshot wants to resume that one, not to begin another on other devices.
        raise NotADeviceError(
            f"snapshot {resumed.snapshot_id[:8]} is not in the pool of {', '.join(sorted(session.paths))}",
            hint="name devices of its backup: --device NAME=PATH",
        )
    return decision


def _take(session: RunSession, decision: PoolDecision, asked: DeviceReports) -> SettledPool:
    _note_new_names(session, decision, asked)
    tell_left_out(session, decision)
    record_absent(session.catalog, decision)
    new = adopt_devices(session, decision)
    for name, report in new.items():
        session.observer.note(f"device {name} is new: {_place_in_words(session.paths[name], report)}")
    reports = asked.reports | new
    members = record_members(session.catalog, decision, reports, session.paths, session.link.published_epoch)
    session.catalog.devices.set_rotating(session.rotating)
    _note_old_copy(session, [member.name for member in members.values() if member.is_ahead])
    for member in members.values():
        member.host = asked.hosts.get(member.name, "")
    # In the order given, in which progress and summary show them.
    members = {name: members[name] for name in session.paths if name in members}
    return SettledPool(pool_id=decision.pool_id, members=members, absent=decision.absent, new=frozenset(decision.adopt))


def _note_old_copy(session: RunSession, ahead: list[str]) -> None:
    if ahead:
        session.observer.note(
            f"the catalog {session.catalog.place} is an old copy: device {', '.join(sorted(ahead))} was changed by a "
            "later one.  The backup continues, and deletes nothing"
        )


def _place_in_words(path: Path, report: DeviceReport) -> str:
    """The folder and its file system, so that a person who meant another disk notices."""
    folder = folder_in_words(path)
    return f"{folder}, on the file system at {report.mount_point}" if report.mount_point else folder


def _note_new_names(session: RunSession, decision: PoolDecision, asked: DeviceReports) -> None:
    rows = session.catalog.devices.all(decision.pool_id)
    there = decision.ready | {name: asked.reports[name].device_id for name in decision.read_only}
    for old, new in new_names(there, {row.device_id: row.name for row in rows if row.state != "lost"}).items():
        session.observer.note(f"device {old} is now called {new}")
    returned = {row.device_id for row in rows if row.state == "lost"}
    for name in (name for name, device_id in there.items() if device_id in returned):
        session.observer.note(f"device {name}, which was lost, is back")
