"""Puts together the loop that stores what is planned."""

from __future__ import annotations

from producer.backup.intake.intake import Intake
from producer.backup.storing.balancing import Balancing
from producer.backup.storing.empty_files import EmptyFiles
from producer.backup.storing.failing.failures import Failures
from producer.backup.storing.failing.losses import Losses
from producer.backup.storing.feeder import Feeder
from producer.backup.storing.recorder import Recorder
from producer.backup.storing.state.state import BackupState
from producer.backup.storing.storing import Storing
from producer.host.scouting.looks import SilentError, look_at_each
from producer.pool.storing.store_orders import StoreOrders
from producer.requests import BackupRequest
from producer.run.session import RunSession
from producer.run.threads import default_threads
from tasks.sources.views import view_at


def prepare_storing(session: RunSession, request: BackupRequest, intake: Intake, state: BackupState) -> Storing:
    """The loop that stores what is planned of the intake's snapshot."""
    listing = intake.differing or session.catalog.listing.reader(state.snapshot_id)
    places = {source.name: source.within for source in request.sources if source.within is not None}
    roots = {source.name: source.path for source in request.sources}
    orders = StoreOrders(
        session,
        session.catalog.snapshots.get(state.snapshot_id),
        listing,
        threads=request.threads or default_threads(len(state.members)),
        readers=request.readers,
        raw_volumes=intake.raw_volumes,
        places=places,
        views={} if request.is_stream else _views(session, request),
        spooled=intake.spooled,
    )
    feeder = Feeder(session, state, state.snapshot_id, orders)
    recorder = Recorder(session, state, roots)
    losses = Losses(session, state)
    failures = Failures(session, state, losses, retries_count=request.retries_count)
    balancing = Balancing(session, state)
    empty_files = EmptyFiles(
        session, state, listing, intake.sizes, roots=roots, places=places, raw=intake.raw_volumes.keys()
    )
    return Storing(
        session,
        state,
        feeder,
        recorder,
        losses,
        failures,
        balancing,
        empty_files,
        orders=orders,
        files_count=intake.files_count,
    )


def _views(session: RunSession, request: BackupRequest) -> dict[str, str]:
    """This host's view of each source; "" of one that does not answer."""
    paths = {source.name: source.path for source in request.sources}
    seen = look_at_each(paths, view_at, on_wait=session.interrupt.check)
    return {name: "" if isinstance(view, SilentError) else view for name, view in seen.items()}
