"""``restore``: opens a session, restores in it, and records the run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.catalog.database.copy import catalog_file, files_beside
from producer.observer import Observer
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.entry_waves import AGAIN
from producer.restore.restore_run import RestoreRun
from producer.run.environment import Environment
from producer.run.history import recorded
from producer.run.session import RunNeeds, RunSession, open_session
from producer.summaries import RestoreSummary
from tasks.errors import InterruptedRun, UsageError


def restore(request: RestoreRequest, observer: Observer, environment: Environment) -> RestoreSummary:
    """Restore what the request names.  What cannot be restored is reported to the observer (exit code 3).

    Raises SegfleetError: an unknown snapshot or path, a target that is not empty, no device, a target that fails.
    """
    return run_restore(request, observer, environment, lambda session: RestoreRun(session, request))


def run_restore(
    request: RestoreRequest, observer: Observer, environment: Environment, make_run: Callable[[RunSession], RestoreRun]
) -> RestoreSummary:
    """Open a session for the request, run in it what ``make_run`` makes, and record the run in the history."""
    started_s = time.monotonic()
    with restore_session(request, observer, environment) as session:
        try:
            return recorded(session, "restore", "", lambda: make_run(session).run(started_s))
        except InterruptedRun as error:
            error.hint = f"to continue, {AGAIN}"
            raise


@contextmanager
def restore_session(request: RestoreRequest, observer: Observer, environment: Environment) -> Iterator[RunSession]:
    """What a restore of the request needs."""
    needs = RunNeeds(
        devices=request.devices, targets={request.target_name: request.target}, purpose="restore", nice=request.nice
    )
    with open_session(needs, observer, environment) as session:
        _refuse_a_path_for_agents(session, request)
        yield session


def own_places(target: Path, environment: Environment) -> tuple[str, ...]:
    """Paths in ``target`` where segfleet has its state and its catalog."""
    root, state = os.path.realpath(target), environment.state
    catalog = catalog_file(environment.catalog)
    beside = {catalog, *files_beside(catalog)} if catalog is not None else set()
    places = {os.path.realpath(place) for place in (state.path, state.broker_dir.parent, *beside)}
    return tuple(sorted(os.path.relpath(place, root) for place in places if place.startswith(f"{root.rstrip('/')}/")))


def _refuse_a_path_for_agents(session: RunSession, request: RestoreRequest) -> None:
    """Raises UsageError: agents write to the folders of their own configuration only."""
    shared = [name for name in session.courier.live if session.fleet.is_shared(name)]
    if shared and request.target_name == UNNAMED_TARGET:
        raise UsageError(
            f"--target {request.target} is a path, and agents serve device {shared[0]}: they restore to named folders",
            hint="add [targets.NAME] to the configuration of every agent, and give --target NAME",
        )
