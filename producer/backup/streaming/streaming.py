"""A backup of a stream, from its first byte to the seal.

::

    [1] the devices say what they are; then the command starts
    [2] the stream is cut into the spool; each segment goes to the then least-filled device    (reader, flow)
    [3] at its end the length is known: the listing, and the seal                              (snapshot, whole)
"""

from __future__ import annotations

import time
from contextlib import suppress

from msgspec.structs import replace

from producer.backup.intake.intake import Intake
from producer.backup.resume import discard_streams
from producer.backup.storing.prepare import prepare_storing
from producer.backup.storing.state.state import BackupState
from producer.backup.streaming.command import opened
from producer.backup.streaming.flow import Flow
from producer.backup.streaming.origin import Origin, segment_bytes_of
from producer.backup.streaming.snapshot import begin, finish
from producer.backup.streaming.spool import Spool, opened_spool
from producer.backup.summary import backup_summary
from producer.backup.whole.whole import Whole
from producer.observer import Observer
from producer.ownership.lock_holder import LockHolder, volume_lock
from producer.raw.quiesce.hooks import hooks_run
from producer.requests import BackupRequest
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.locks import locked
from producer.run.preflight import check_mounts
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import BackupSummary
from tasks.errors import SegfleetError, StreamError, UsageError

_HINT = "a stream cannot be resumed: run the backup again, from its beginning"


def back_up_stream(
    request: BackupRequest, origin: Origin, observer: Observer, environment: Environment
) -> BackupSummary:
    """Back up a stream as the one file of its source; returns when the snapshot is sealed on every live device.

    Exit code 0 means that all of it can be restored from the devices that are there.  What lies on a device that died
    and is in the spool no more is named to the observer (exit code 3).

    Raises SegfleetError when the run fails, StreamError for a command that fails, InterruptedRun after Ctrl-C.  There
    is no snapshot then, and nothing to resume.
    """
    segment_bytes = segment_bytes_of(request.plan.segment_bytes)
    request = replace(request, plan=replace(request.plan, segment_bytes=segment_bytes))
    room_bytes = origin.room_bytes(segment_bytes, len(request.devices))
    with (
        locked(volume_lock(request.volume), f"backup of {request.volume}", observer, environment) as holder,
        hooks_run(environment.hooks.get(request.volume), environment.state),
        opened_spool(origin.spool, room_bytes) as spool,
    ):
        check_mounts(request.required_mounts)
        discard_streams(holder.catalog, request.volume)
        return _back_up_in_session(request, origin, spool, observer, environment, holder)


def _back_up_in_session(
    request: BackupRequest,
    origin: Origin,
    spool: Spool,
    observer: Observer,
    environment: Environment,
    holder: LockHolder,
) -> BackupSummary:
    started_s = time.monotonic()
    needs = RunNeeds(
        devices=request.devices,
        sources={source.name: spool.folder for source in request.sources},
        purpose=f"backup of {request.volume}",
        volume=request.volume,
        holder=holder,
        nice=request.nice,
    )
    with open_session(needs, observer, environment) as session:
        _refuse_agents(session)
        run = _Run(session, request, origin, spool, started_s)
        return recorded(session, "backup", request.volume, run.run)


def _refuse_agents(session: RunSession) -> None:
    """Raises UsageError for devices whose workers run for others too, and do not know the spool."""
    served = sorted(device for device in session.paths if session.fleet.is_shared(device))
    if served:
        raise UsageError(
            f"an agent serves device {served[0]}, and agents do not see the spool of a stream",
            hint="name devices that no agent serves, or write the stream to a file in a source and back that up",
        )


class _Run:
    def __init__(
        self, session: RunSession, request: BackupRequest, origin: Origin, spool: Spool, started_s: float
    ) -> None:
        self._session = session
        self._request = request
        self._origin = origin
        self._spool = spool
        self._started_s = started_s

    def run(self) -> BackupSummary:
        intake = begin(self._session, self._request)
        try:
            return self._run(intake)
        except BaseException as error:
            # The rest of the stream is gone.
            with suppress(Exception):
                self._session.catalog.snapshots.discard(intake.snapshot_id)
            if isinstance(error, SegfleetError) and not isinstance(error, StreamError | UsageError):
                error.hint = _HINT
            raise

    def _run(self, intake: Intake) -> BackupSummary:
        state = BackupState(self._session.catalog, intake.snapshot_id, intake.members)
        storing = prepare_storing(self._session, self._request, intake, state)
        with opened(self._origin.command) as output:
            flow = Flow(self._session, state, storing, self._spool)
            size_bytes = flow.run(output, self._request.plan.segment_bytes)
            output.check_end(self._session.interrupt.check)
        intake = finish(self._session, self._request, intake, size_bytes)
        state.kept |= self._spool.removed()
        whole = Whole(self._session, self._request, intake, state, storing)
        whole.store()
        whole.seal()
        return backup_summary(self._session, intake, state, self._started_s)
