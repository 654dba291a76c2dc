"""Keeps the worker's lease alive, from the event loop of its parent process.

From the event loop and not from a thread, because the parent forks and must stay free of threads.  The pool's child
counts the bytes that it moves in shared memory, which the parent reads, so that a manager can tell a hung device from
a long segment.
"""

from __future__ import annotations

import atexit
import logging
import mmap
import os
import struct
import threading
from typing import Any

import redis
from celery import bootsteps

from tasks.app import BROKEN
from tasks.broker.leases import LEASE_RENEW_S, Lease, claim_name, give_up, redis_client, renew, this_release
from tasks.broker.watchers import is_watched
from tasks.orders import WIRE_VERSION
from workers.process.events import Events

log = logging.getLogger("segfleet.lease")

# Shared with the child: bytes moved (u64), how often the order in hand was begun (u64), then that order (32 hex
# digits, or zeros), the beats (u64), and the device: its id (as the order), its epoch (u64) and free bytes (u64).
_COUNT = struct.Struct("<Q")
_BEGUN_AT = _COUNT.size
_ORDER_AT = 2 * _COUNT.size
_ID_BYTES = 32
_BEATS_AT = _ORDER_AT + _ID_BYTES
_DEVICE = struct.Struct(f"<{_ID_BYTES}sQQ")
_DEVICE_AT = _BEATS_AT + _COUNT.size


class SharedProgress:
    """A byte counter, a count of beats and the order in hand, in memory that survives a fork.

    Made in the parent before it forks and read by the parent; one thread of the child writes it, another one the beats.
    A torn read of the count lasts one renewal at most and decides nothing.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def add(self, bytes_count: int) -> None:
        _COUNT.pack_into(self._memory, 0, self.bytes_moved + bytes_count)

    @property
    def bytes_moved(self) -> int:
        return int(_COUNT.unpack_from(self._memory, 0)[0])

    def beat(self) -> None:
        _COUNT.pack_into(self._memory, _BEATS_AT, self.beats + 1)

    @property
    def beats(self) -> int:
        return int(_COUNT.unpack_from(self._memory, _BEATS_AT)[0])

    @property
    def order_id(self) -> str:
        return self._memory[_ORDER_AT : _ORDER_AT + _ID_BYTES].rstrip(b"\0").decode("ascii")

    def begin(self, order_id: str) -> int:
        """See :meth:`workers.progress.WorkerProgress.begin`; a child that died left its order here."""
        begun_count = 1
        if order_id == self.order_id:
            begun_count += _COUNT.unpack_from(self._memory, _BEGUN_AT)[0]
        _COUNT.pack_into(self._memory, _BEGUN_AT, begun_count)
        self._memory[_ORDER_AT : _ORDER_AT + _ID_BYTES] = order_id.encode("ascii").ljust(_ID_BYTES, b"\0")
        return begun_count

    def end(self) -> None:
        self._memory[_ORDER_AT : _ORDER_AT + _ID_BYTES] = bytes(_ID_BYTES)

    def tell_device(self, device_id: str, epoch: int, free_bytes: int) -> None:
        _DEVICE.pack_into(self._memory, _DEVICE_AT, device_id.encode("ascii"), epoch, free_bytes)

    @property
    def device(self) -> tuple[str, int, int]:
        """Id, epoch and free bytes, as they were set last."""
        device_id, epoch, free_bytes = _DEVICE.unpack_from(self._memory, _DEVICE_AT)
        return device_id.rstrip(b"\0").decode("ascii"), epoch, free_bytes


class LeaseStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Worker boot step: renews the lease every LEASE_RENEW_S, and deletes it at the end of an orderly stop."""

    requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

    #: Set by workers.process.start before the worker is made: (broker URL, device, shared progress).
    settings: tuple[str, str, SharedProgress]
    #: Whether it is an agent's worker; set there too.
    shared = False
    #: Whether to send events although nobody looks; set there too.
    events = False

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        url, self._device, self._progress = self.settings
        self._client = redis_client(url)
        self._release = this_release()
        #: The name in the lease: the node's name, unless another worker took it while this one slept.
        self._name = worker.hostname
        self._renewals = 0
        self._events = Events(always=self.events)
        self._timer_entry: Any = None

    def start(self, worker: Any) -> None:
        self._renew()
        self._timer_entry = worker.timer.call_repeatedly(LEASE_RENEW_S, lambda: self._turn(worker))

    def _turn(self, worker: Any) -> None:
        # After the broker has answered: what Celery sends to one that is away may wait for it.
        if self._renew():
            self._show(worker)

    def _show(self, worker: Any) -> None:
        try:
            self._events.look(worker.consumer, is_watched=is_watched(self._client))
        except BROKEN as error:
            log.info("no events: %s", error)

    def stop(self, worker: Any) -> None:
        """Called before the pool finishes the order in hand and ends: the lease must live until then.

        From now on the event loop stands still and nothing is forked, so a thread renews the lease.
        """
        if self._timer_entry is not None:
            self._timer_entry.cancel()
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew_until, args=(ended,), name="lease", daemon=True)
        renewing.start()
        atexit.register(self._end, ended, renewing)

    def _renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(LEASE_RENEW_S):
            self._renew()

    def _end(self, ended: threading.Event, renewing: threading.Thread) -> None:
        ended.set()
        renewing.join()
        try:
            give_up(self._client, self._device, self._name)
        except redis.RedisError as error:
            log.info("lease not deleted, it will run out: %s", error)

    def _renew(self) -> bool:
        """Whether the broker has answered."""
        self._renewals += 1
        device_id, epoch, free_bytes = self._progress.device
        lease = Lease(
            device=self._device,
            worker=self._name,
            pid=os.getpid(),
            bytes_moved=self._progress.bytes_moved,
            beats=self._progress.beats,
            order_id=self._progress.order_id,
            wire=WIRE_VERSION,
            release=self._release,
            shared=self.shared,
            renewals=self._renewals,
            device_id=device_id,
            epoch=epoch,
            free_bytes=free_bytes,
        )
        try:
            if not renew(self._client, lease):
                log.warning("another worker is called %s now", self._name)
                self._name = claim_name(self._client, self._device, self._name.partition("@")[2], os.getpid())
        except redis.RedisError as error:
            # The broker is away; Celery reconnects, and the next renewal writes the lease again.
            log.warning("lease not renewed: %s", error)
            return False
        return True
