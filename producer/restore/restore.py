"""``restore``: opens a session, restores in it, and records the run."""

from __future__ import annotations

import time
from collections.abc import Callable

from producer.observer import Observer
from producer.requests import UNNAMED_TARGET, RestoreRequest
from producer.restore.restore_run import AGAIN, RestoreRun
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
    with open_session(
        RunNeeds(
            devices=request.devices, targets={request.target_name: request.target}, purpose="restore", nice=request.nice
        ),
        observer,
        environment,
    ) as session:
        _refuse_a_path_for_agents(session, request)
        try:
            return recorded(session, "restore", "", lambda: make_run(session).run(started_s))
        except InterruptedRun as error:
            error.hint = f"to continue, {AGAIN}"
            raise


def _refuse_a_path_for_agents(session: RunSession, request: RestoreRequest) -> None:
    """Raises UsageError: agents write to the folders of their own configuration only."""
    shared = [name for name in session.courier.live if session.fleet.is_shared(name)]
    if shared and request.target_name == UNNAMED_TARGET:
        raise UsageError(
            f"--target {request.target} is a path, and agents serve device {shared[0]}: they restore to named folders",
            hint="add [targets.NAME] to the configuration of every agent, and give --target NAME",
        )
