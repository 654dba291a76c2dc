"""The time by which a run judges others: it passes only while the run itself looks.

A run stands still now and then: in a database that does not answer, in a broker that is stuck, on a host that sleeps.
Meanwhile it sees no receipt and no lease, so it must not count that time against anybody.
"""

from __future__ import annotations

from collections.abc import Callable

#: The turn of a loop takes a tenth of a second.  One that took longer than this was stuck.
BLIND_S = 3.0


class SeenTime:
    """Read it in each turn of a loop, at any place: a gap between two readings counts as BLIND_S at most."""

    def __init__(self, real_s: Callable[[], float]) -> None:
        self._real_s = real_s
        self._read_at_s = self._now_s = real_s()
        self._missed_s = 0.0

    def now_s(self) -> float:
        real_s = self._real_s()
        gap_s, self._read_at_s = real_s - self._read_at_s, real_s
        self._now_s += min(gap_s, BLIND_S)
        self._missed_s += max(0.0, gap_s - BLIND_S)
        return self._now_s

    def take_missed_s(self) -> float:
        """How much time did not count since the last call of this."""
        missed_s, self._missed_s = self._missed_s, 0.0
        return missed_s
