"""Flower, Celery's web page, with segfleet's application: workers, orders and rates while they happen."""

from __future__ import annotations

import os
from typing import NoReturn

import tasks.definitions  # noqa: F401  registers the tasks
from tasks.app import connect
from tasks.errors import UsageError

PASSWORD_VARIABLE = "FLOWER_BASIC_AUTH"

#: Flower would show, and count as online, workers that were killed, for ever.
_PURGE_AFTER_S = 60

_COLUMNS = "name,kwargs,state,received,runtime,worker"


def check_password() -> None:
    """Raises UsageError unless the environment says who may look: the page tells the names of files."""
    users = os.environ.get(PASSWORD_VARIABLE, "").split(",")
    if not all(name and separator and password for name, separator, password in (u.partition(":") for u in users)):
        raise UsageError(
            f"{PASSWORD_VARIABLE} does not say who may look at the page",
            hint=f"set {PASSWORD_VARIABLE}=user:password in the environment; several are separated by commas",
        )


def serve(broker_url: str, *, address: str, port: int, may_change: bool) -> NoReturn:
    """Serve the page until SIGTERM or Ctrl-C, and end the process.

    Main thread only; users and passwords come from the environment.  Raises UsageError for an address that cannot be
    used.
    """
    app = connect(broker_url, f"segfleet:flower:{os.getpid()}", "flower")
    # Each of Flower's threads takes two connections, one after the other: with a limit they wait for each other.
    app.conf.broker_pool_limit = None
    arguments = [
        "flower",
        f"--address={address}",
        f"--port={port}",
        f"--purge-offline-workers={_PURGE_AFTER_S}",
        f"--tasks-columns={_COLUMNS}",
        # While it runs it asks the workers for events, which they do not send by themselves.
        "--enable-events",
        "--logging=warning",
    ]
    try:
        app.start(argv=arguments if may_change else [*arguments, "--read-only"])
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}:{port}: {error.strerror}", hint="choose another --port, or --address"
        ) from error
    # At once: a thread that asks a broker which is gone would keep the process for ever, and nothing is to be saved.
    os._exit(0)
