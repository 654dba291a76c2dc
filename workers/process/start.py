"""Starts one worker: settings, handlers, then Celery, in one process with one forked child.

Prefork with one child, because only that pool keeps the parent's event loop free to renew the lease while an order
runs, and can end an order that is stuck.  Compression threads start in the child.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
import warnings
from contextlib import suppress
from pathlib import Path

import redis
from celery.exceptions import SecurityWarning

from tasks.app import app, connect, queue
from tasks.broker import door
from tasks.broker.leases import claim_name, client_name, redis_client
from tasks.broker.queues import device_queue
from tasks.errors import BrokerError
from tasks.handlers import install
from workers.process.acknowledging import end_where_orders_stay
from workers.process.fence import Fence
from workers.process.handlers import LocalHandlers
from workers.process.lease import LeaseStep, SharedProgress
from workers.process.parcels import Parcels
from workers.settings import WorkerSettings

log = logging.getLogger("segfleet.start")

_PR_SET_PDEATHSIG = 1


def run_worker(
    settings: WorkerSettings, device: str, *, log_level: str = "WARNING", shared: bool = False, events: bool = False
) -> int:
    """Serve ``device`` until SIGTERM; returns the exit code.  Call once, from the main thread of a process.

    ``shared``: there may be other workers of the device, so the node name must be chosen.  ``events``: tell Flower.
    """
    # The name in top: all workers forked from one process have the same command line.
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"segfleet:{device}")
    logging.basicConfig(level=log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    # Backups run as root; Celery's warning is about pickle, which is refused here.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    host = socket.gethostname()
    worker_name = _claim_name(settings.broker_url, device, host) if shared else f"{device}@{host}"
    door.install()
    connect(settings.broker_url, client_name(device, host, os.getpid()), device_queue(device))
    end_where_orders_stay()
    app.conf.task_queues = [queue(device_queue(device))]
    progress = SharedProgress()
    fence = Fence(settings.broker_url)
    parcels = Parcels(settings.broker_url)
    install(
        LocalHandlers(settings, worker=worker_name, progress=progress, refuse_stale=fence.check, parcel=parcels.get)
    )
    LeaseStep.settings = (settings.broker_url, device, progress)
    LeaseStep.shared = shared
    LeaseStep.events = events or settings.events
    # Celery's pool would make a folder of its own for a file without a name, and a killed worker leave it there.
    multiprocessing.current_process()._config["tempdir"] = tempfile.gettempdir()  # type: ignore[attr-defined]
    app.steps["worker"].add(LeaseStep)
    worker = app.Worker(
        hostname=worker_name,
        pool_cls="prefork",
        concurrency=1,
        queues=[device_queue(device)],
        loglevel=log_level,
        quiet=True,
        # Has Celery make the means, after each reconnect anew; workers.process.events turns them off at once.
        task_events=True,
        # Both query other workers at start, which costs a second; segfleet has leases instead.
        without_gossip=True,
        without_mingle=True,
        # Its last event waits for a broker that is away; workers.process.events sends the beats.
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def _claim_name(url: str, device: str, host: str) -> str:
    """Waits for a broker that does not answer yet: host and broker may have been started together.

    Raises BrokerError when it refuses the user.
    """
    client = redis_client(url)
    while True:
        try:
            return claim_name(client, device, host, os.getpid())
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise BrokerError(f"the broker refuses this worker: {error}") from error
        except redis.RedisError as error:
            log.warning("the broker does not answer yet: %s", error)
            time.sleep(1.0)
        finally:
            client.close()


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, however it ends (Linux).

    Exits at once when ``parent_pid`` is no longer the parent: it ended before the call.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(1)
