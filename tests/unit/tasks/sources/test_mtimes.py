"""Which times of files count as the same."""

from __future__ import annotations

import pytest

from tasks.sources.mtimes import is_same_time, packable

NOW_NS = 1_234_567_891_234_567_891


def test_a_time_beyond_all_calendars_is_still_the_same_time() -> None:
    assert is_same_time(packable(2**70), 2**70)


@pytest.mark.parametrize("step_ns", [100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000])
def test_a_time_and_the_same_time_in_coarser_steps_are_one(step_ns: int) -> None:
    coarse_ns = NOW_NS // step_ns * step_ns
    assert is_same_time(NOW_NS, coarse_ns)
    assert is_same_time(coarse_ns, NOW_NS)


@pytest.mark.parametrize("later_ns", [1, 4_000_000, 1_000_000_000, 3_600_000_000_000])
def test_other_times_are_others(later_ns: int) -> None:
    assert not is_same_time(NOW_NS, NOW_NS + later_ns)
    assert not is_same_time(NOW_NS + later_ns, NOW_NS)
