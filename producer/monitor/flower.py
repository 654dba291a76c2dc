"""Flower, Celery's web page, with segfleet's application: workers, orders and rates while they happen."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import Any, NoReturn

import flower.events

import tasks.definitions  # noqa: F401  registers the tasks
from producer.monitor.events import checked_event
from producer.monitor.passwords import users_of
from tasks.app import BROKEN, connect
from tasks.broker import door
from tasks.broker.leases import redis_client
from tasks.broker.watchers import TELL_EVERY_S, tell_watched
from tasks.errors import UsageError

PASSWORD_VARIABLE = "FLOWER_BASIC_AUTH"

#: Flower would show, and count as online, workers that were killed, for ever.
_PURGE_AFTER_S = 60

_COLUMNS = "name,kwargs,state,received,runtime,worker"


def check_password() -> None:
    """Raises UsageError unless the environment says who may look: the page shows names of files."""
    users = users_of(PASSWORD_VARIABLE)
    # Flower itself reads no file.
    os.environ[PASSWORD_VARIABLE] = ",".join(f"{name}:{password}" for name, password in users.items())


class _Receiver(flower.events.EventReceiver):  # type: ignore[misc]
    """Passes on what a worker may have sent; Flower answers with an error for ever once it has taken a forged event."""

    def _receive(self, body: Any, message: Any, **_kwargs: Any) -> None:
        for sent in body if isinstance(body, list) else [body]:
            event = checked_event(sent)
            if event is not None:
                self.process(*self.event_from_message(event))


def serve(broker_url: str, *, address: str, port: int) -> NoReturn:
    """Serve the page until SIGTERM or Ctrl-C, and end the process.

    Main thread only; users and passwords come from the environment.  Raises UsageError for an address that cannot be
    used.
    """
    door.install()
    app = connect(broker_url, f"segfleet:flower:{os.getpid()}", "flower")
    # Each of Flower's threads takes two connections, one after the other: with a limit they wait for each other.
    app.conf.broker_pool_limit = None
    arguments = [
        "flower",
        f"--address={address}",
        f"--port={port}",
        f"--purge-offline-workers={_PURGE_AFTER_S}",
        f"--tasks-columns={_COLUMNS}",
        # Workers take no commands; they find out by themselves that somebody looks.
        "--enable-events=false",
        "--read-only",
        "--logging=warning",
    ]
    flower.events.EventReceiver = _Receiver
    threading.Thread(target=_tell, args=(broker_url,), daemon=True).start()
    try:
        app.start(argv=arguments)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}:{port}: {error.strerror}", hint="choose another --port, or --address"
        ) from error
    # At once: a thread that asks a broker which is gone would keep the process for ever, and nothing is to be saved.
    os._exit(0)


def _tell(broker_url: str) -> NoReturn:
    """Have the workers send events for as long as this process lives."""
    client = redis_client(broker_url)
    while True:
        with contextlib.suppress(*BROKEN):
            tell_watched(client)
        time.sleep(TELL_EVERY_S)
