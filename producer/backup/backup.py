"""A backup, from the walk to the seal.

::

    [1] the devices say what they are, while the walk writes the listing into the catalog    (intake)
    [2] the plan: threshold, segments, devices; into the catalog                             (planning)
    [3] feed, record, handle losses, until all is stored on devices that are there           (whole, storing)
    [4] the manifest goes to every live device: the snapshot is complete                     (whole, seal)
"""

from __future__ import annotations

import time

from msgspec.structs import replace

from producer.backup.intake.take_in import take_in
from producer.backup.own_state import own_files, with_catalog_copied
from producer.backup.planning import plan_backup
from producer.backup.remember import remember_directories, remembered
from producer.backup.summary import backup_summary
from producer.backup.whole.whole import Whole
from producer.observer import Observer
from producer.ownership.lock_holder import LockHolder, volume_lock
from producer.raw.quiesce.freeze import frozen
from producer.raw.quiesce.hooks import hooks_run
from producer.raw.switch import choose_modes
from producer.requests import BackupRequest
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.locks import locked
from producer.run.preflight import check_mounts, check_sources_exist
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import BackupSummary


def back_up(request: BackupRequest, observer: Observer, environment: Environment) -> BackupSummary:
    """Back up the sources to the devices; returns when the snapshot is sealed on every live device.

    Exit code 0 means that every file can be restored, at the moment of the seal, from the devices that are there.
    Files that could not be read, or lie on a device that is gone, are named to the observer and counted (exit code 3).

    Raises SegfleetError when the run as a whole fails, UsageError for a source that is not there, LockedError while
    another run backs up the volume, InterruptedRun after Ctrl-C: what is stored then is kept in the catalog.
    """
    with (
        locked(volume_lock(request.volume), f"backup of {request.volume}", observer, environment) as holder,
        # Inside the lock: the hooks of a second run would undo under the first one what its own have done.
        hooks_run(environment.hooks.get(request.volume), environment.state),
    ):
        check_sources_exist(request.sources)
        check_mounts(request.required_mounts)
        decided = choose_modes(request, observer.note, has_agents=environment.broker_url is not None)
        return _back_up_in_session(decided, observer, environment, holder)


def _back_up_in_session(
    request: BackupRequest, observer: Observer, environment: Environment, holder: LockHolder
) -> BackupSummary:
    started_s = time.monotonic()
    with open_session(
        RunNeeds(
            devices=request.devices,
            sources=dict(source.root for source in request.sources),
            purpose=f"backup of {request.volume}",
            volume=request.volume,
            holder=holder,
            nice=request.nice,
        ),
        observer,
        environment,
    ) as session:
        return recorded(session, "backup", request.volume, lambda: _back_up(session, request, environment, started_s))


def _back_up(session: RunSession, request: BackupRequest, environment: Environment, started_s: float) -> BackupSummary:
    is_first = session.catalog.snapshots.last_of(request.volume) is None
    with with_catalog_copied(request, environment, session.observer, is_first=is_first):
        with frozen(request, environment.state):
            early = environment.early_scan
            known = remembered(request, environment.state) if early is None else early.known
            intake = take_in(session, request, own_files(request, environment), early, known)
            state = plan_backup(session, request, intake)
            whole = Whole(session, request, intake, state)
            whole.store()
        if whole.is_skipped():
            return _skipped(session, backup_summary(session, intake, state, started_s))
        whole.seal()
        remember_directories(session.catalog, request, intake, environment.state)
    return backup_summary(session, intake, state, started_s)


def _skipped(session: RunSession, summary: BackupSummary) -> BackupSummary:
    """Discard the snapshot, in which nothing differs from its parent."""
    assert summary.snapshot_id is not None
    session.catalog.snapshots.discard(summary.snapshot_id)
    session.observer.note(f"nothing has changed since snapshot {summary.parent_id[:8]}: no snapshot is made")
    return replace(summary, snapshot_id=None)
