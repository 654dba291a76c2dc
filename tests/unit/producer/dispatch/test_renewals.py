"""An agent's worker that has ended is told from one that stands still, or has lost its connection for a moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from producer.dispatch import liveness
from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.dispatch.liveness import Liveness
from producer.fleet.local import Fleet
from tasks.broker.leases import Lease


class Agents:
    """One worker each for the devices a and b, at other hosts, by a clock that this test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(liveness, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.renewals = {"a": 0, "b": 0}
        #: None: the broker does not tell.
        self.connected: set[str] | None = {"segfleet:a:there:1", "segfleet:b:there:1", "segfleet:manager:x"}
        self.asked_count = 0
        link = SimpleNamespace(leases=self._leases, connected=self._connected)
        fleet = SimpleNamespace(is_shared=lambda _device: True, exited=dict)
        self.liveness = Liveness(cast(Link, link), cast(Fleet, fleet), ["a", "b"], Limits())

    def _leases(self, _devices: object) -> dict[str, list[Lease]]:
        return {device: [self._lease(device)] for device in self.renewals}

    def _lease(self, device: str) -> Lease:
        common: dict[str, Any] = {"bytes_moved": 0, "order_id": "", "shared": True}
        return Lease(device=device, worker=f"{device}@there", pid=1, renewals=self.renewals[device], **common)

    def _connected(self) -> set[str] | None:
        self.asked_count += 1
        return self.connected

    def pass_seconds(self, count: int, *, renewing: str) -> dict[str, str]:
        """A second at a time, in which the workers of these devices renew their leases; returns who is gone."""
        for _ in range(count):
            self.now_s += 1.0
            for device in renewing:
                self.renewals[device] += 1
            self.liveness.look()
        return self.liveness.gone()


@pytest.fixture
def agents(monkeypatch: pytest.MonkeyPatch) -> Agents:
    return Agents(monkeypatch)


def test_a_worker_that_is_connected_no_more_and_renews_no_more_has_ended(agents: Agents) -> None:
    agents.pass_seconds(2, renewing="ab")
    agents.connected = {"segfleet:b:there:1"}
    assert agents.pass_seconds(6, renewing="b") == {
        "a": "its worker has ended: it is no longer connected to the broker"
    }


def test_a_worker_that_stands_still_keeps_its_lease_to_the_end(agents: Agents) -> None:
    agents.pass_seconds(2, renewing="ab")
    assert agents.pass_seconds(6, renewing="b") == {}


def test_a_worker_that_has_lost_its_connection_and_renews_is_there(agents: Agents) -> None:
    agents.connected = set()
    assert agents.pass_seconds(20, renewing="ab") == {}


def test_a_worker_that_comes_back_before_it_is_given_up_is_there(agents: Agents) -> None:
    agents.pass_seconds(2, renewing="ab")
    agents.connected = set()
    agents.pass_seconds(6, renewing="b")
    assert agents.pass_seconds(1, renewing="ab") == {}


def test_a_broker_that_does_not_tell_accuses_nobody(agents: Agents) -> None:
    agents.connected = None
    assert agents.pass_seconds(6, renewing="") == {}


def test_the_broker_is_not_asked_for_its_clients_as_long_as_all_renew(agents: Agents) -> None:
    agents.pass_seconds(20, renewing="ab")
    assert agents.asked_count == 0
