"""Workers that agents started, on this host or others: found by their leases, never started or ended by a run."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import redis
from msgspec import Struct, field

from producer.broker import without_password
from producer.fleet.local import Fleet, LocalFleet
from producer.host.patience import Patience
from producer.host.places import is_at_agents
from producer.host.processes import start_of
from producer.observer import Observer
from tasks.broker.leases import LEASE_LIFE_S, LEASE_RENEW_S, Lease, all_leases, redis_client, this_release
from tasks.errors import BrokerError, DeviceError, LockedError
from tasks.orders import WIRE_VERSION

#: A living agent renews its leases every second; a restarted broker has all leases again after some seconds.
ANSWER_S = 5.0

_LOOK_EVERY_S = 0.2


class Agents(Struct, frozen=True, kw_only=True):
    """Which devices of a run are served by agents."""

    #: Device → the leases of its workers, at least one.
    leases: dict[str, list[Lease]] = field(default_factory=dict)
    #: Devices that only an agent could serve, but none does → why, for a person.
    unserved: dict[str, str] = field(default_factory=dict)


def find_agents(url: str, devices: Mapping[str, Path]) -> Agents:
    """Find the agents of ``devices``; waits up to ANSWER_S for devices without a folder on this host.

    Raises BrokerError, and DeviceError for a worker whose messages have another version.
    """
    deadline = time.monotonic() + ANSWER_S
    only_at_agents = {name for name, place in devices.items() if is_at_agents(place)}
    while True:
        found = _leases(url)
        if only_at_agents <= found.keys() or time.monotonic() > deadline:
            break
        time.sleep(_LOOK_EVERY_S)
    serving = {name: found[name] for name in devices if name in found}
    _refuse_other_versions(serving)
    why = f"no agent serves it; the broker {without_password(url)} has {_in_words(found)}"
    return Agents(leases=serving, unserved=dict.fromkeys(sorted(only_at_agents - found.keys()), why))


def wait_until_unused(
    url: str, devices: Collection[str], patience: Patience, on_wait: Callable[[], None] = lambda: None
) -> None:
    """Return once no other run's own workers serve the devices; those of a killed run go with their leases.

    Two runs with own workers for devices of the same name would take each other's orders.  Raises LockedError,
    BrokerError.
    """
    deadline = time.monotonic() + LEASE_LIFE_S + LEASE_RENEW_S
    while own := [lease for lease in _all_leases(url) if lease.device in devices and _is_a_runs_own(lease)]:
        on_wait()
        if time.monotonic() > deadline and not patience.left_s:
            raise LockedError(
                f"device {own[0].device} is in use: another run at this broker has its own worker for it, "
                f"{own[0].worker} (pid {own[0].pid})",
                hint="wait for it (--wait TIME), or give devices of different hosts different names",
            )
        time.sleep(_LOOK_EVERY_S)


def _is_a_runs_own(lease: Lease) -> bool:
    is_of_this_host = lease.worker.partition("@")[2] == socket.gethostname()
    return not lease.shared and not (is_of_this_host and not start_of(lease.pid))


def _leases(url: str) -> dict[str, list[Lease]]:
    """Device → the leases of the workers that agents started."""
    leases = [lease for lease in _all_leases(url) if lease.shared]
    return {device: [lease for lease in leases if lease.device == device] for device in {row.device for row in leases}}


def _all_leases(url: str) -> list[Lease]:
    client = redis_client(url)
    try:
        return all_leases(client)
    except redis.RedisError as error:
        raise BrokerError(f"cannot look for agents: {error}") from error
    finally:
        client.close()


def _refuse_other_versions(found: Mapping[str, Iterable[Lease]]) -> None:
    for device, leases in found.items():
        for lease in leases:
            if lease.wire != WIRE_VERSION:
                raise DeviceError(
                    f"device {device}: its worker {lease.worker} is segfleet {lease.release} (messages {lease.wire}), "
                    f"and this is segfleet {this_release()} (messages {WIRE_VERSION})",
                    hint="run releases with the same message version on all hosts",
                )


def _in_words(found: Mapping[str, Iterable[Lease]]) -> str:
    if not found:
        return "no agents"
    return "agents for " + ", ".join(
        f"{device} ({', '.join(lease.worker for lease in leases)})" for device, leases in sorted(found.items())
    )


class SharedFleet(Fleet):
    """Some of its workers belong to agents and serve other runs too; the others are children of this process."""

    def __init__(self, local: LocalFleet, agents: Agents, observer: Observer) -> None:
        self._local = local
        self._agents = agents
        self._observer = observer

    def start(self) -> None:
        self._local.start()
        for device, leases in self._agents.leases.items():
            for lease in leases:
                self._observer.worker_started(device, lease.pid)

    def exited(self) -> dict[str, str]:
        """Only of this process's workers; those of agents show in their leases."""
        return self._local.exited()

    def kill(self, device: str) -> None:
        """Leaves an agent's worker alone: the epoch fences it, and it may serve others."""
        if self._is_ours(device):
            self._local.kill(device)

    def restart(self, device: str) -> None:
        """Leaves an agent's worker alone: the agent replaces it.  The caller takes back its orders."""
        if self._is_ours(device):
            self._local.restart(device)

    def stop(self, *, orders_in_hand: bool) -> None:
        self._local.stop(orders_in_hand=orders_in_hand)

    def where_to_look(self, device: str) -> str:
        if self._is_ours(device):
            return self._local.where_to_look(device)
        return "see the output of its agent: " + ", ".join(
            lease.worker for lease in self._agents.leases.get(device, [])
        )

    def is_shared(self, device: str) -> bool:
        return not self._is_ours(device)

    def _is_ours(self, device: str) -> bool:
        return device not in self._agents.leases
