"""Signs of life: once a second a run reports to the broker that it is alive (:mod:`tasks.broker.signs`).

It starts with its first order that must not outlive it, and stops at its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from producer.dispatch.link import Link
from tasks.broker.signs import SIGN_EVERY_S
from tasks.orders import Order
from tasks.registry import kind_of


class LifeSigns:
    """Used from the run's thread only: nobody can rely on a run whose thread is stuck."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_needed = False
        self._next_s = 0.0

    def before(self, orders: Iterable[Order]) -> None:
        """Call before sending ``orders``: the run may have been silent while it made them."""
        self._is_needed = self._is_needed or any(kind_of(order).must_not_outlive_run for order in orders)
        self.give_if_due()

    def give_if_due(self) -> None:
        """Give a sign if one is due."""
        now_s = time.monotonic()
        if self._is_needed and now_s >= self._next_s:
            self._next_s = now_s + SIGN_EVERY_S
            self._link.give_sign()

    def end(self) -> None:
        """Give the last sign: the run is over."""
        if self._is_needed:
            self._link.give_last_sign()
