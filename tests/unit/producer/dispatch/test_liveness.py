"""A worker that is slow is told from one that hangs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from producer.dispatch import liveness
from producer.dispatch.limits import Limits
from producer.dispatch.link import Link
from producer.dispatch.liveness import Liveness
from producer.fleet.local import Fleet
from tasks.broker.leases import Lease

ORDER_ID = "5e" * 16
STALL_S = 30.0


class Worker:
    """The one worker of device ``a``, with an order in hand, by a clock that this test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(liveness, "time", SimpleNamespace(monotonic=lambda: self.now_s))
        self.bytes_moved = 0
        self.beats = 0
        link, fleet = SimpleNamespace(leases=self._leases), SimpleNamespace(is_shared=lambda _device: False)
        self._liveness = Liveness(cast(Link, link), cast(Fleet, fleet), ["a"], Limits(stall_s=STALL_S))

    def _leases(self, _devices: object) -> dict[str, list[Lease]]:
        lease = Lease(
            device="a",
            worker="a@here",
            pid=1,
            bytes_moved=self.bytes_moved,
            beats=self.beats,
            order_id=ORDER_ID,
        )
        return {"a": [lease]}

    def stand_still(self, seconds: int) -> bool:
        """The manager does not turn for this long, after it has looked; whether it then finds the worker hung."""
        self._liveness.look()
        self.now_s += seconds
        return bool(self._liveness.hung({"a": {ORDER_ID: 0}}))

    def is_found_hung_after(self, seconds: int, *, beats: int = 0, bytes_moved: int = 0) -> bool:
        """Each second has so many beats, and moves so many bytes."""
        for _ in range(seconds):
            self.now_s += 1.0
            self.beats += beats
            self.bytes_moved += bytes_moved
            self._liveness.look()
        return bool(self._liveness.hung({"a": {ORDER_ID: 0}}))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(monkeypatch)


def test_a_worker_whose_bytes_stand_still_hangs(worker: Worker) -> None:
    assert not worker.is_found_hung_after(20, bytes_moved=1)
    assert worker.is_found_hung_after(40)


def test_a_worker_that_moves_bytes_does_not_hang(worker: Worker) -> None:
    assert not worker.is_found_hung_after(100, bytes_moved=1)


def test_a_worker_that_waits_for_its_turn_at_a_disk_does_not_hang(worker: Worker) -> None:
    assert not worker.is_found_hung_after(100, beats=1)
    assert worker.is_found_hung_after(40)


def test_a_manager_that_stood_still_blames_no_worker_wherever_it_stood(worker: Worker) -> None:
    for _ in range(2):
        assert not worker.is_found_hung_after(5, bytes_moved=1)
        assert not worker.stand_still(45)
    assert not worker.is_found_hung_after(1, bytes_moved=1)


def test_a_worker_that_hangs_is_found_though_the_manager_stood_still_in_between(worker: Worker) -> None:
    assert not worker.is_found_hung_after(5, bytes_moved=1)
    assert not worker.stand_still(45)
    assert worker.is_found_hung_after(40)
