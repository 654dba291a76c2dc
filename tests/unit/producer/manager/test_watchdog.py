"""A loop that does not turn is noticed, and where it stands is said."""

from __future__ import annotations

import threading
import time

from kit.deadlines import DEADLINE_S
from producer.manager.watchdog import Watchdog


def stand_in_here(until: threading.Event) -> None:
    assert until.wait(DEADLINE_S)


def test_a_loop_that_stands_still_is_ended_with_the_place_where_it_stands() -> None:
    said: list[str] = []
    noticed = threading.Event()

    def end(text: str) -> None:
        said.append(text)
        noticed.set()

    with Watchdog(0.2, end):
        stand_in_here(noticed)

    assert "the manager has stood still" in said[0]
    assert "in stand_in_here" in said[0]


def test_a_loop_that_turns_is_left_alone() -> None:
    said: list[str] = []
    # A limit that a busy machine keeps.
    watchdog = Watchdog(1.0, said.append)
    begun_s = time.monotonic()

    with watchdog:
        while time.monotonic() < begun_s + 1.5:
            watchdog.turn()
            time.sleep(0.01)

    assert said == []
