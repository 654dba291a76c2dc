"""A stored object is copied byte for byte, once, and only if it is what was stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tasks.errors import DamagedError
from tasks.orders import StoreSegment
from tasks.orders.copying import CopyObject
from tasks.values import Extent, Extents
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker
from workers.segments.copy import copy_object
from workers.segments.store import store_segment

OBJECT_ID = "5e" * 16
IDS = {"a": "a" * 32, "b": "b" * 32}


class Progress:
    def add(self, bytes_count: int) -> None: ...

    def beat(self) -> None: ...


@pytest.fixture
def devices(tmp_path: Path) -> dict[str, LocalDevice]:
    found = {}
    for name, device_id in IDS.items():
        (tmp_path / name).mkdir()
        found[name] = LocalDevice(name, tmp_path / name)
        found[name].write_marker(Marker(format_version=1, device_id=device_id, name=name, pool_id="e" * 32, created=""))
        found[name].claim(device_id)
    return found


@pytest.fixture
def order(tmp_path: Path, devices: dict[str, LocalDevice]) -> CopyObject:
    """Copies an object of 150,000 bytes from a to b."""
    (tmp_path / "file").write_bytes(bytes(range(250)) * 600)
    store = StoreSegment(
        run_id="0" * 32,
        order_id="7" * 32,
        device="a",
        device_id=IDS["a"],
        epoch=0,
        attempt=1,
        reply_to="manager.local",
        segment_id="7" * 32,
        object_id=OBJECT_ID,
        snapshot_id="1" * 32,
        volume="home",
        number=3,
        source="source",
        extents=Extents.of([Extent(path="file", offset_bytes=0, size_bytes=150_000)]),
        threshold_bytes=10**6,
        unit_bytes=64 * 1024,
        block_bytes=64 * 1024,
        level=3,
        threads=1,
    )
    result = store_segment(store, device=devices["a"], source_root=tmp_path, progress=Progress())
    return CopyObject(
        run_id="0" * 32,
        epoch=0,
        attempt=1,
        reply_to="manager.local",
        order_id="8" * 32,
        device="b",
        device_id=IDS["b"],
        object_id=OBJECT_ID,
        from_device="a",
        from_device_id=IDS["a"],
        stored_bytes=result.bytes_stored,
        trailer_digest=result.trailer_digest,
    )


def copied(order: CopyObject, devices: dict[str, LocalDevice]) -> int:
    result = copy_object(
        order, origin=devices["a"], device=devices["b"], progress=Progress(), before_commit=lambda: None
    )
    return result.bytes_written


def test_a_copy_has_the_same_bytes_and_is_made_once(
    order: CopyObject, devices: dict[str, LocalDevice], tmp_path: Path
) -> None:
    written = copied(order, devices)
    again = copied(order, devices)

    key = object_key(OBJECT_ID)
    assert (tmp_path / "b" / key).read_bytes() == (tmp_path / "a" / key).read_bytes()
    assert (written, again) == (order.stored_bytes, 0)


@pytest.mark.parametrize("damage", ["all of it", "a unit"])
def test_a_copy_that_is_damaged_is_replaced(
    damage: str, order: CopyObject, devices: dict[str, LocalDevice], tmp_path: Path
) -> None:
    copied(order, devices)
    path = tmp_path / "b" / object_key(OBJECT_ID)
    data = path.read_bytes()
    at = len(data) // 2
    path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] if damage == "a unit" else b"torn")

    assert copied(order, devices) == order.stored_bytes
    assert path.read_bytes() == data


@pytest.mark.parametrize("place", ["a unit", "the end", "missing", "another object"])
def test_what_is_not_what_was_stored_is_not_copied(
    place: str, order: CopyObject, devices: dict[str, LocalDevice], tmp_path: Path
) -> None:
    path = tmp_path / "a" / object_key(OBJECT_ID)
    data = bytearray(path.read_bytes())
    match place:
        case "a unit":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
        case "the end":
            path.write_bytes(data[:-20])
        case "missing":
            path.unlink()
        case "another object":
            order = replace(order, trailer_digest="0" * 64)

    with pytest.raises(DamagedError):
        copied(order, devices)

    assert [path for path in (tmp_path / "b").rglob("*") if path.is_file() and path.suffix != ".json"] == []
