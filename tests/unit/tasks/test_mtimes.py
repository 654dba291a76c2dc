"""Times of files on the wire, and which of them count as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.mtimes import is_same_time, pack_times, unpack_times

NOW_NS = 1_234_567_891_234_567_891


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_times_come_back_as_they_were_packed(times_ns: list[int]) -> None:
    assert unpack_times(pack_times(times_ns)) == tuple(times_ns)


def test_a_time_beyond_all_calendars_is_still_the_same_time() -> None:
    (packed_ns,) = unpack_times(pack_times([2**70]))
    assert is_same_time(packed_ns, 2**70)


@pytest.mark.parametrize("text", ["AAAA", "AAAAAAAAAAA", "no base64"])
def test_what_is_no_packed_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unpack_times(text)


@pytest.mark.parametrize("step_ns", [100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000])
def test_a_time_and_the_same_time_in_coarser_steps_are_one(step_ns: int) -> None:
    coarse_ns = NOW_NS // step_ns * step_ns
    assert is_same_time(NOW_NS, coarse_ns)
    assert is_same_time(coarse_ns, NOW_NS)


@pytest.mark.parametrize("later_ns", [1, 4_000_000, 1_000_000_000, 3_600_000_000_000])
def test_other_times_are_others(later_ns: int) -> None:
    assert not is_same_time(NOW_NS, NOW_NS + later_ns)
    assert not is_same_time(NOW_NS + later_ns, NOW_NS)
