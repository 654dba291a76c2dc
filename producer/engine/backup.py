"""A backup, from the walk to the seal.

::

    [1] the devices say what they are, while the walk writes the listing into the catalog    (intake)
    [2] the plan: threshold, segments, devices; into the catalog                             (planning)
    [3] feed, record, take care of losses, until all is stored                               (storing)
    [4] the manifest goes to every live device: the snapshot is complete                     (seal)
"""

from __future__ import annotations

import os
import time

from producer.catalog.catalog import Catalog
from producer.engine.agreement import settle_changed_files
from producer.engine.balancing import Balancing
from producer.engine.books import device_totals, recorded
from producer.engine.environment import Environment
from producer.engine.feed import Feeder
from producer.engine.intake import Intake, take_in
from producer.engine.listings import listing_reader
from producer.engine.losses import Losses
from producer.engine.planning import plan_backup
from producer.engine.record import Recorder
from producer.engine.seal import seal
from producer.engine.session import Session, open_session
from producer.engine.storing import Storing
from producer.observer import Observer, Progress
from producer.ownership.holder import Holder, volume_lock
from producer.preflight import check_sources_exist
from producer.raw.freeze import frozen
from producer.raw.hooks import hooks_run
from producer.raw.switch import choose_modes
from producer.requests import BackupRequest
from producer.summaries import BackupSummary
from tasks.errors import SegfleetError


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


def _back_up(session: Session, request: BackupRequest, environment: Environment, started_s: float) -> BackupSummary:
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
    snapshot = session.catalog.snapshot(intake.snapshot_id)
    seal(session, snapshot, request.plan, intake.source_starts, intake.members)
    return _summary(session, intake, started_s)


def _store(session: Session, request: BackupRequest, intake: Intake) -> None:
    snapshot = session.catalog.snapshot(intake.snapshot_id)
    feeder = Feeder(
        session,
        snapshot,
        intake.members,
        listing_reader(session.catalog, snapshot.snapshot_id),
        threads=request.threads or default_threads(len(intake.members)),
        readers=request.readers,
        volumes=intake.volumes,
        places={source.name: source.within for source in request.sources if source.within is not None},
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


def _summary(session: Session, intake: Intake, started_s: float) -> BackupSummary:
    snapshot = session.catalog.snapshot(intake.snapshot_id)
    rows = session.catalog.totals(intake.snapshot_id)
    errors = session.catalog.troubles_count(intake.snapshot_id)
    return BackupSummary(
        snapshot_id=snapshot.snapshot_id,
        volume=snapshot.volume,
        mode=snapshot.mode,
        files=snapshot.files_count,
        bytes_source=snapshot.bytes_source,
        bytes_stored=snapshot.bytes_stored,
        threshold_bytes=snapshot.threshold_bytes,
        segments=snapshot.segments_count,
        segments_rerouted=sum(row.rerouted_count for row in rows),
        segments_retried=sum(row.retried_count for row in rows),
        devices=device_totals(rows, intake.members, intake.absent),
        errors=errors,
        duration_s=round(time.monotonic() - started_s, 3),
        exit_code=3 if errors else 0,
    )


def default_threads(devices_count: int) -> int:
    """Threads of each worker: the cores shared out, at least one."""
    return max(1, (os.cpu_count() or 1) // devices_count)
