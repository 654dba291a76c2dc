"""Whether the broker answers, and which agents have a lease there."""

from __future__ import annotations

from msgspec import Struct

from tasks.app import BROKEN
from tasks.broker.leases import Lease, all_leases, redis_client
from tasks.errors import BrokerError


class FleetStatus(Struct, frozen=True, kw_only=True):
    is_broker_up: bool
    #: Of agents, and of workers that a run has started for itself.
    leases: tuple[Lease, ...] = ()


def fleet_status(broker_url: str) -> FleetStatus:
    """What a configured broker says now; waits a few seconds for one that does not answer."""
    try:
        client = redis_client(broker_url)
        try:
            return FleetStatus(is_broker_up=True, leases=tuple(all_leases(client)))
        finally:
            client.close()
    except (*BROKEN, BrokerError):
        return FleetStatus(is_broker_up=False)
