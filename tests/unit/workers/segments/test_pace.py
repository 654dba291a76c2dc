from __future__ import annotations

import time

from workers.segments.pace import Pace


def test_a_caller_waits_until_its_bytes_would_have_come_and_gives_signs_of_life() -> None:
    signs: list[float] = []
    began_s = time.monotonic()
    pace = Pace(1_000_000, lambda: signs.append(time.monotonic()))

    pace.take(50_000)
    pace.take(50_000)

    assert time.monotonic() - began_s >= 0.1
    assert len(signs) >= 2
