"""One real worker process with a private broker, and a manager's place at it: orders in, receipts out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from celery import Celery
from redis import Redis

from kit.deadlines import DEADLINE_S, eventually
from kit.program.halting.brake import Brake
from producer.broker import broker
from producer.host.state import StateFolder
from tasks.app import queue, transport_options
from tasks.broker.leases import Lease, leases_of, redis_client
from tasks.orders import Order
from tasks.receipts import Receipt
from tasks.registry import kind_of
from tasks.wire import decode_receipt, encode

INBOX = "manager.test"


class Worker:
    """The worker of the device ``a`` in ``folder/a``, with the source ``data`` in ``folder/data``."""

    def __init__(self, url: str, folder: Path, bytes_per_s: int | None) -> None:
        self.folder = folder
        self.device = folder / "a"
        self.redis: Redis = redis_client(url)
        #: Holds the device to ``bytes_per_s`` until it is released.
        self.brake = Brake(folder / "brake")
        self._url = url
        self._bytes_per_s = bytes_per_s
        self._publisher = Celery("test", broker=url, set_as_current=False)
        self._publisher.conf.broker_transport_options = transport_options("test", INBOX)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "broker_url": self._url,
            "devices": {"a": {"path": str(self.device), "bytes_per_s": self._bytes_per_s}},
            "sources": {"data": str(self.folder / "data")},
        }
        command = [sys.executable, "-P", "-m", "workers", "a", "--parent-pid", str(os.getpid())]
        with (self.folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=os.environ | self.brake.settings,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        assert process.stdin is not None
        process.stdin.write(json.dumps(settings).encode())
        process.stdin.close()
        return process

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def leases(self) -> list[Lease]:
        return leases_of(self.redis, ["a"])["a"]

    # ---- as a manager

    def send(self, order: Order) -> None:
        self.send_raw(kind_of(order).task, encode(order))

    def send_raw(self, task: str, order: Any) -> None:
        """Publish whatever it is as the order of ``task``."""
        self._publisher.send_task(task, kwargs={"order": order}, queue=queue("device.a"))

    def receipt(self) -> Receipt:
        """The next receipt; fails the test, with the worker's log, when none comes."""
        with self._publisher.connection_for_read() as connection:
            inbox = connection.SimpleQueue(INBOX)
            try:
                message = inbox.get(timeout=DEADLINE_S)
            except Empty:
                raise AssertionError(f"no receipt within {DEADLINE_S:.0f} s: {self.log()}") from None
            message.ack()
            inbox.close()
            return decode_receipt(message.payload)

    def ask(self, order: Order) -> Receipt:
        self.send(order)
        return self.receipt()

    # ---- its end

    def stop(self) -> int:
        """Ask it to end (SIGTERM); returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(DEADLINE_S)

    def restart(self) -> None:
        """Kill it with its child, and start another one for the same device."""
        self.kill()
        self._process = self._start()

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)

    def end(self) -> None:
        self.kill()
        self._publisher.close()
        self.redis.close()


@contextmanager
def running_worker(folder: Path, *, bytes_per_s: int | None = None) -> Iterator[Worker]:
    """A worker that is ready for orders; ``folder`` must have a short path.  It is ended with the block.

    The device is no faster than ``bytes_per_s`` until its brake is released.
    """
    (folder / "a").mkdir()
    with broker(None, StateFolder(path=folder / "state")) as private:
        worker = Worker(private.url, folder, bytes_per_s)
        try:
            eventually(worker.leases, "the worker has a lease")
            yield worker
        finally:
            worker.end()
    # The last that it removes.
    eventually(lambda: not (folder / "state" / "broker" / "broker.sock").exists(), "the private broker has ended")
