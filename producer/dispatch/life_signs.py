"""The run's signs of life, from its first order that must not outlive it to its end."""

from __future__ import annotations

import time
from collections.abc import Iterable

from producer.dispatch.link import Link
from tasks.orders import Order
from tasks.registry import kind_of
from tasks.signs import SIGN_EVERY_S


class Signs:
    """Used from the run's thread only: a run whose thread stands still is one that nobody can rely on."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_needed = False
        self._next_s = 0.0

    def before(self, orders: Iterable[Order]) -> None:
        """Call before these are sent: a run may have been silent while it made them."""
        self._is_needed = self._is_needed or any(kind_of(order).must_not_outlive_run for order in orders)
        self.go_on()

    def go_on(self) -> None:
        """Give one, if it is time."""
        now_s = time.monotonic()
        if self._is_needed and now_s >= self._next_s:
            self._next_s = now_s + SIGN_EVERY_S
            self._link.give_sign()

    def end(self) -> None:
        """Give the last one."""
        if self._is_needed:
            self._link.give_last_sign()
