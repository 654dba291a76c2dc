"""A backup, from the walk to the seal.

::

    [1] the devices say what they are, while the walk writes the listing into the catalog    (intake)
    [2] the plan: threshold, segments, devices; into the catalog                             (planning)
    [3] feed, record, take care of losses, until all is stored                               (storing)
    [4] the manifest goes to every live device: the snapshot is complete                     (seal)
"""

from __future__ import annotations

import time

from producer.backup.changed_files import settle_changed_files
from producer.backup.intake import Intake, take_in
from producer.backup.planning import plan_backup
from producer.backup.seal import seal
from producer.backup.storing.balancing import Balancing
from producer.backup.storing.feeder import Feeder
from producer.backup.storing.losses import Losses
from producer.backup.storing.recorder import Recorder
from producer.backup.storing.storing import Storing
from producer.backup.summary import backup_summary
from producer.catalog.catalog import Catalog
from producer.observer import Observer, Progress
from producer.ownership.holder import Holder, volume_lock
from producer.raw.quiesce.freeze import frozen
from producer.raw.quiesce.hooks import hooks_run
from producer.raw.switch import choose_modes
from producer.requests import BackupRequest
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.preflight import check_sources_exist
from producer.run.session import RunSession, open_session
from producer.run.threads import default_threads
from producer.summaries import BackupSummary
from tasks.errors import SegfleetError
from tasks.views import view_at


def back_up(request: BackupRequest, observer: Observer, environment: Environment) -> BackupSummary:
    """Back up the sources to the devices; returns when the snapshot is sealed on every live device.

    Trouble with source files is told to the observer, recorded, and counted (exit code 3).  Raises SegfleetError
    when the run as a whole fails, UsageError for a source that is not there, LockedError while another run backs up
    the volume, InterruptedRun after Ctrl-C: what is stored then is kept in the catalog.
    """
    with (
        Catalog(environment.catalog) as catalog,
        Holder(catalog, environment.catalog, manager=environment.manager, note=observer.note) as holder,
        holder.holding(volume_lock(request.volume), purpose=f"backup of {request.volume}"),
        # Inside the lock: the hooks of a second run would undo under the first one what its own have done.
        hooks_run(environment.hooks.get(request.volume), environment.state),
    ):
        check_sources_exist(request.sources)
        decided = choose_modes(request, observer.note, has_agents=environment.broker_url is not None)
        return _back_up_in_session(decided, observer, environment, holder)


def _back_up_in_session(
    request: BackupRequest, observer: Observer, environment: Environment, holder: Holder
) -> BackupSummary:
    started_s = time.monotonic()
    with open_session(
        devices=request.devices,
        sources=dict(source.root for source in request.sources),
        targets={},
        purpose=f"backup of {request.volume}",
        observer=observer,
        environment=environment,
        volume=request.volume,
        holder=holder,
        nice=request.nice,
    ) as session:
        return recorded(session, "backup", request.volume, lambda: _back_up(session, request, environment, started_s))


def _back_up(session: RunSession, request: BackupRequest, environment: Environment, started_s: float) -> BackupSummary:
    with frozen(request, environment.state):
        intake = take_in(session, request)
        plan_backup(session, request, intake)
        _store(session, request, intake)
    session.observer.progress(
        Progress(
            phase="sealing",
            files_count=intake.files_count,
            bytes_total=intake.bytes_total,
            bytes_done=intake.bytes_total,
        )
    )
    snapshot = session.catalog.snapshots.get(intake.snapshot_id)
    seal(session, snapshot, request.plan, intake.source_starts, intake.members)
    return backup_summary(session, intake, started_s)


def _store(session: RunSession, request: BackupRequest, intake: Intake) -> None:
    snapshot = session.catalog.snapshots.get(intake.snapshot_id)
    feeder = Feeder(
        session,
        snapshot,
        intake.members,
        session.catalog.listing.reader(snapshot.snapshot_id),
        threads=request.threads or default_threads(len(intake.members)),
        readers=request.readers,
        raw_volumes=intake.raw_volumes,
        places={source.name: source.within for source in request.sources if source.within is not None},
        views={source.name: view_at(source.path) for source in request.sources},
    )
    sources = {source.name: source.path for source in request.sources}
    recorder = Recorder(session, snapshot.snapshot_id, feeder, intake.members, sources)
    losses = Losses(session, snapshot.snapshot_id, intake.members, feeder, retries_count=request.retries_count)
    balancing = Balancing(session, snapshot.snapshot_id, intake.members, feeder, recorder)
    storing = Storing(session, intake.members, feeder, recorder, losses, balancing, files_count=intake.files_count)

    def store_all() -> None:
        storing.run()
        if losses.given_up:
            given_up = list(losses.given_up.values())
            raise SegfleetError(
                f"{len(given_up)} segments could not be stored; the first: {given_up[0]}",
                hint="the snapshot is not complete; what is stored is kept; try again with: segfleet retry",
            )

    store_all()
    settle_changed_files(session, snapshot.snapshot_id, intake.members, store_all)
