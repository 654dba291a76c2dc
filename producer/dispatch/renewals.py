"""Renewals: notices that an agent's worker has ended before its lease expires.

A lease outlives its worker by LEASE_LIFE_S.  A worker that has ended no longer renews it, and its connections are gone
from the broker's list of clients.  Only both together are proof: a worker that is stuck keeps its connections, and one
that lost them keeps renewing.
"""

from __future__ import annotations

from collections.abc import Mapping

from producer.dispatch.link import Link
from tasks.broker.leases import Lease

#: Leases are renewed every second, and an agent needs some seconds to replace a worker.  The broker is asked for its
#: clients only when a lease is this old.
_OVERDUE_S = 4.0


class Renewals:
    """Used from the run's thread only."""

    def __init__(self, link: Link) -> None:
        self._link = link
        #: (worker, pid) → its last count of renewals, and when that count was new.
        self._seen: dict[tuple[str, int], tuple[int, float]] = {}

    def living(self, leases: Mapping[str, list[Lease]], now_s: float) -> dict[str, list[Lease]]:
        """The leases without those of agents' workers that have ended; all of them if the broker does not answer."""
        overdue = {
            lease.client_name
            for found in leases.values()
            for lease in found
            if lease.shared and self._is_overdue(lease, now_s)
        }
        connected = self._link.connected() if overdue else None
        ended = overdue - connected if connected is not None else set()
        return {
            device: [lease for lease in found if lease.client_name not in ended] for device, found in leases.items()
        }

    def forgive(self) -> None:
        """Start again, after a while in which nobody looked."""
        self._seen.clear()

    def _is_overdue(self, lease: Lease, now_s: float) -> bool:
        worker = (lease.worker, lease.pid)
        count, since_s = self._seen.get(worker, (-1, now_s))
        if lease.renewals != count:
            since_s = now_s
        self._seen[worker] = (lease.renewals, since_s)
        return now_s - since_s > _OVERDUE_S
