"""What every device adapter promises (workers/devices/base.py), run on each of them."""

from pathlib import Path
from typing import Any, cast

import pytest

from tasks.errors import NotADeviceError
from workers.devices.base import Device, Swept
from workers.devices.marker import Marker
from workers.devices.registry import open_device
from workers.settings import DeviceSettings

FIRST = "manifests/first"
SECOND = "manifests/second"
SEGMENT = "segments/00/" + "0" * 32 + ".seg"

MARKER = Marker(format_version=1, device_id="d" * 32, name="a", pool_id="e" * 32, created="2026-01-01T00:00:00Z")

ADAPTERS: dict[str, dict[str, Any]] = {
    "local": {},
    "throttled": {"bytes_per_s": 1 << 40},
    "discarding": {"discard": True},
}


@pytest.fixture(params=ADAPTERS, ids=str)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Device:
    return open_device("a", DeviceSettings(path=tmp_path, **ADAPTERS[request.param]))


@pytest.fixture
def device(bare: Device) -> Device:
    bare.write_marker(MARKER)
    return bare


def put(device: Device, key: str, *parts: bytes | bytearray | memoryview) -> None:
    with device.put(key) as upload:
        for part in parts:
            upload.write(cast(bytes, part))
        upload.commit()


def get(device: Device, key: str) -> bytes | None:
    stored = device.open(key)
    if stored is None:
        return None
    with stored:
        return stored.read(0, stored.size_bytes)


def test_an_empty_place_becomes_a_device_by_its_marker(bare: Device) -> None:
    assert bare.probe().condition == "empty"
    bare.write_marker(MARKER)
    assert bare.probe().condition == "ready"
    assert bare.claim("d" * 32) == MARKER


def test_a_place_without_a_marker_takes_and_gives_nothing(bare: Device) -> None:
    for attempt in (lambda: bare.put(FIRST), lambda: bare.open(FIRST), lambda: bare.list("manifests")):
        with pytest.raises(NotADeviceError):
            attempt()


def test_another_device_is_not_claimed(device: Device) -> None:
    with pytest.raises(NotADeviceError):
        device.claim("f" * 32)


@pytest.mark.parametrize("key", [FIRST, SEGMENT])
def test_what_was_committed_can_be_read(device: Device, key: str) -> None:
    put(device, key, b"one ", bytearray(b"two "), memoryview(b"three"))
    assert get(device, key) == b"one two three"


@pytest.mark.parametrize("key", [FIRST, SEGMENT])
def test_a_range_is_short_only_at_the_end(device: Device, key: str) -> None:
    put(device, key, b"0123456789")
    stored = device.open(key)
    assert stored is not None
    with stored:
        assert stored.size_bytes == 10
        assert stored.read(2, 3) == b"234"
        assert stored.read(8, 5) == b"89"
        assert stored.read(10, 5) == b""


@pytest.mark.parametrize("key", [FIRST, SEGMENT])
def test_what_was_not_committed_is_not_there(device: Device, key: str) -> None:
    with device.put(key) as upload:
        upload.write(b"half")
        assert get(device, key) is None
    assert get(device, key) is None
    assert list(device.list(key.split("/", maxsplit=1)[0])) == []


@pytest.mark.parametrize("key", [FIRST, SEGMENT])
def test_a_commit_replaces_what_was_there_and_a_failed_put_does_not(device: Device, key: str) -> None:
    put(device, key, b"old")
    with device.put(key) as upload:
        upload.write(b"half")
    assert get(device, key) == b"old"
    put(device, key, b"new")
    assert get(device, key) == b"new"


def test_a_listing_names_committed_objects_in_order(device: Device) -> None:
    assert list(device.list("manifests")) == []
    put(device, SECOND, b"2")
    put(device, FIRST, b"1")
    assert list(device.list("manifests")) == [FIRST, SECOND]


@pytest.mark.parametrize("key", [FIRST, SEGMENT])
def test_deleting_works_once_and_twice(device: Device, key: str) -> None:
    put(device, key, b"1")
    device.delete(key)
    device.delete(key)
    device.settle([key, SECOND])
    assert get(device, key) is None


def test_an_object_being_read_outlives_its_deletion(device: Device) -> None:
    put(device, FIRST, b"1")
    stored = device.open(FIRST)
    assert stored is not None
    with stored:
        device.delete(FIRST)
        assert stored.read(0, 1) == b"1"


def test_capacity_counts_bytes(device: Device) -> None:
    capacity = device.capacity()
    assert 0 < capacity.free_bytes <= capacity.capacity_bytes


def test_a_sweep_of_a_tidy_device_removes_nothing(device: Device) -> None:
    put(device, FIRST, b"1")
    assert device.sweep() == Swept(removed_count=0)
    assert get(device, FIRST) == b"1"
