"""What holds when the segments of a lost device go to the others, whatever is left of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.backup.storing.least_filled import assign_least_filled
from tasks.errors import DeviceFullError

sizes = st.lists(st.integers(0, 100), max_size=30)
devices = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(0, 500), st.integers(0, 600)), min_size=1, max_size=6
)


@given(sizes, devices, st.sampled_from([0.25, 0.5, 1.0]))
def test_each_segment_goes_in_order_to_the_least_filled_device_that_has_room(
    sizes: list[int], devices: dict[str, tuple[int, int]], ratio: float
) -> None:
    loads = {name: load for name, (load, _) in devices.items()}
    left = {name: free for name, (_, free) in devices.items()}
    expected: dict[int, str] = {}
    for number, size in enumerate(sizes):
        needed = math.ceil(size * ratio)
        with_room = [name for name in devices if left[name] >= needed]
        if not with_room:
            with pytest.raises(DeviceFullError, match=f"segment {number}, expected to take {needed} bytes, fits on no"):
                assign_least_filled(list(enumerate(sizes)), loads_of(devices), frees_of(devices), ratio)
            return
        name = min(with_room, key=lambda name: (loads[name], name))
        expected[number] = name
        loads[name] += size
        left[name] -= needed
    taken = assign_least_filled(list(enumerate(sizes)), loads_of(devices), frees_of(devices), ratio)
    assert taken == expected
    assert list(taken) == list(range(len(sizes)))


def loads_of(devices: dict[str, tuple[int, int]]) -> dict[str, int]:
    return {name: load for name, (load, _) in devices.items()}


def frees_of(devices: dict[str, tuple[int, int]]) -> dict[str, int]:
    return {name: free for name, (_, free) in devices.items()}


@given(sizes.filter(bool), devices)
def test_what_it_is_given_stays_as_it_was(sizes: list[int], devices: dict[str, tuple[int, int]]) -> None:
    loads, frees = loads_of(devices), dict.fromkeys(devices, 10**6)
    assign_least_filled(enumerate(sizes), loads, frees, 1.0)
    assert loads == loads_of(devices)
    assert set(frees.values()) == {10**6}


def test_without_a_device_the_error_says_so() -> None:
    with pytest.raises(DeviceFullError):
        assign_least_filled([(0, 1)], {}, {}, 1.0)
