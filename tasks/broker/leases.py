"""A worker's lease: a key in the broker that expires unless its worker renews it.

Workers write leases, managers read them.  The broker's clock decides when a lease expires, so clocks that differ
between hosts, or jump, do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from itertools import count
from typing import Any

import msgspec
import redis
from msgspec import Struct
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from tasks.broker.connections import CONNECT_S, KEEPALIVE, QUICK_ANSWER_S, verified
from tasks.errors import BrokerError
from tasks.orders import WIRE_VERSION
from tasks.values import Count, DeviceName

#: When a server that restarts refuses or resets the connection, for some two seconds.  By itself redis-py would try ten
#: times again after a silence too: one question on a link that is cut took a minute, and its thread heard no signal.
_RETRY = Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 6, (redis.ConnectionError,))

LEASE_PREFIX = "segfleet.lease."

#: Renewed every second, expired after six: a worker that misses five renewals is dead or stopped.
LEASE_RENEW_S = 1.0
LEASE_LIFE_S = 6.0


class Lease(Struct, frozen=True, kw_only=True):
    """What a worker reports with each renewal."""

    device: DeviceName
    #: Celery node name, device@host.
    worker: str
    pid: Count
    #: Bytes that the worker has moved since it started; constant while the device hangs.
    bytes_moved: Count
    #: Rises while no bytes move because the source is slow, or the worker waits for its turn at a disk.
    beats: Count = 0
    #: The current order, "" when idle.
    order_id: str
    #: The version of the messages that it understands; and its release, for people.
    wire: int = 0
    release: str = "of an unknown version"
    #: Whether it belongs to an agent and serves every manager; a run's own worker ends with the run.
    shared: bool = False
    #: Rises with each renewal, so that a reader can tell a lease that is no longer renewed.
    renewals: Count = 0
    #: The device's id, epoch and free space as of the last order; "" and 0 before the first.
    device_id: str = ""
    epoch: Count = 0
    free_bytes: Count = 0

    @property
    def client_name(self) -> str:
        """The name of the worker's connections in the broker's list of clients."""
        return client_name(self.device, self.worker.partition("@")[2], self.pid)


def client_name(device: str, host: str, pid: int) -> str:
    return f"segfleet:{device}:{host}:{pid}"


@cache
def this_release() -> str:
    """Looked up once: that reads the metadata of what is installed, which takes milliseconds."""
    return version("segfleet")


def redis_client(url: str) -> redis.Redis:
    """A client for a broker URL.  kombu writes unix sockets as redis+socket://, redis-py as unix://.

    Connects at its first use.  Raises BrokerError for a URL that cannot be parsed, without quoting it: it may hold a
    password.
    """
    address = verified(url).replace("redis+socket://", "unix://", 1)
    limits = {} if address.startswith("unix://") else KEEPALIVE
    try:
        return redis.Redis.from_url(
            address,
            socket_timeout=QUICK_ANSWER_S,
            socket_connect_timeout=CONNECT_S,
            client_name="segfleet",
            retry=_RETRY,
            **limits,
        )
    except ValueError as error:
        raise BrokerError(
            "the URL of the broker cannot be parsed",
            hint="write it as redis://HOST:PORT/0, rediss://… or redis+socket:///PATH",
        ) from error


def lease_key(device: str, worker: str) -> str:
    return f"{LEASE_PREFIX}{device}.{worker}"


def claim_name(client: redis.Redis, device: str, host: str, pid: int) -> str:
    """Claim a node name that no living worker has, with a first lease: ``a@host``, or ``a.2@host`` and so on.

    Raises redis.RedisError.
    """
    for number in count(1):
        name = f"{device}@{host}" if number == 1 else f"{device}.{number}@{host}"
        lease = Lease(
            device=device,
            worker=name,
            pid=pid,
            bytes_moved=0,
            order_id="",
            wire=WIRE_VERSION,
            release=this_release(),
            shared=True,
        )
        if client.set(lease_key(device, name), msgspec.json.encode(lease), px=int(LEASE_LIFE_S * 1000), nx=True):
            return name
    raise AssertionError("unreachable")


def renew(client: redis.Redis, lease: Lease) -> bool:
    """Write the lease for another LEASE_LIFE_S; raises redis.RedisError.

    If the lease of a shared worker expired because its host slept, another worker may have claimed its name since.
    Then this returns False without writing, and the worker must claim a new name.
    """
    key = lease_key(lease.device, lease.worker)
    if lease.shared:
        holder = _read(client.get(key))
        if holder is not None and holder.pid != lease.pid:
            return False
    client.set(key, msgspec.json.encode(lease), px=int(LEASE_LIFE_S * 1000))
    return True


def give_up(client: redis.Redis, device: str, worker: str) -> None:
    """Delete the lease of a worker that stops, so that nobody waits until it expires."""
    client.delete(lease_key(device, worker))


def leases_of(client: redis.Redis, devices: Iterable[str]) -> dict[str, list[Lease]]:
    """Device → the leases of its workers, possibly none; raises redis.RedisError.

    Skips whatever cannot be read as a lease.
    """
    found: dict[str, list[Lease]] = {device: [] for device in devices}
    keys = [key for device in found for key in client.scan_iter(match=lease_key(device, "*"), count=1000)]
    for value in client.mget(keys) if keys else []:
        lease = _read(value)
        if lease is not None and lease.device in found:
            found[lease.device].append(lease)
    return found


def all_leases(client: redis.Redis) -> list[Lease]:
    """The leases of all workers at the broker, sorted by device and worker; raises redis.RedisError."""
    keys = list(client.scan_iter(match=f"{LEASE_PREFIX}*", count=1000))
    leases = [_read(value) for value in client.mget(keys)] if keys else []
    return sorted((lease for lease in leases if lease is not None), key=lambda lease: (lease.device, lease.worker))


def _read(value: Any) -> Lease | None:
    if value is None:
        return None
    try:
        return msgspec.json.decode(value, type=Lease)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
