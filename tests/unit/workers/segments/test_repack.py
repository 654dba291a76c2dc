"""What is needed of a stored object is written as a new one, whose bytes and digests are those of the old."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.tree import noise
from tasks.errors import DamagedError
from tasks.orders import StoreSegment
from tasks.orders.repacking import RepackObject, RepackResult
from tasks.values import Extent, Extents
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker
from workers.format.reader import SegmentReader
from workers.segments.repack import repack_object
from workers.segments.store import store_segment

OLD, NEW = "5e" * 16, "9e" * 16
IDS = {"a": "a" * 32, "b": "b" * 32}
SIZES = {"one": 70_000, "two": 5 * 1024 * 1024, "three": 30_000}


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
def order(tmp_path: Path, devices: dict[str, LocalDevice]) -> RepackObject:
    """Of an object of three files on a, a piece of the second and all of the third go to b."""
    source = tmp_path / "source"
    source.mkdir()
    for seed, (name, size_bytes) in enumerate(SIZES.items()):
        (source / name).write_bytes(noise(size_bytes, seed=seed))
    store = StoreSegment(
        run_id="0" * 32,
        order_id="7" * 32,
        device="a",
        device_id=IDS["a"],
        epoch=0,
        attempt=1,
        reply_to="manager.local",
        segment_id="7" * 32,
        object_id=OLD,
        snapshot_id="1" * 32,
        volume="home",
        number=3,
        source="source",
        extents=Extents.of([Extent(path=name, offset_bytes=0, size_bytes=size) for name, size in SIZES.items()]),
        threshold_bytes=10**7,
        unit_bytes=64 * 1024,
        block_bytes=64 * 1024,
        level=3,
        threads=2,
    )
    stored = store_segment(store, device=devices["a"], source_root=source, progress=Progress())
    return RepackObject(
        run_id="0" * 32,
        epoch=0,
        attempt=1,
        reply_to="manager.local",
        order_id="8" * 32,
        device="b",
        device_id=IDS["b"],
        segment_id="7" * 32,
        object_id=NEW,
        snapshot_id="2" * 32,
        ranges=((70_000 + 1000, 200_000), (70_000 + SIZES["two"], 30_000)),
        from_object_id=OLD,
        from_device="a",
        from_device_id=IDS["a"],
        stored_bytes=stored.bytes_stored,
        trailer_digest=stored.trailer_digest,
        threads=2,
    )


def repacked(order: RepackObject, devices: dict[str, LocalDevice], to: str = "b") -> RepackResult:
    return repack_object(order, origin=devices["a"], device=devices[to], progress=Progress())


def reader_of(path: Path) -> SegmentReader:
    data = path.read_bytes()
    return SegmentReader(lambda offset, size: data[offset : offset + size], len(data))


def stream_of(path: Path) -> bytes:
    reader = reader_of(path)
    return b"".join(reader.read_unit(number) for number in range(len(reader.units)))


def test_the_new_object_has_the_bytes_of_the_ranges_and_says_which_they_are(
    order: RepackObject, devices: dict[str, LocalDevice], tmp_path: Path
) -> None:
    result = repacked(order, devices)

    path = tmp_path / "b" / object_key(NEW)
    old, header = stream_of(tmp_path / "a" / object_key(OLD)), reader_of(path).header
    assert stream_of(path) == b"".join(old[start : start + size] for start, size in order.ranges)
    assert (header.object_id, header.segment_id, header.snapshot_id) == (NEW, "7" * 32, "2" * 32)
    assert header.ranges == order.ranges
    assert list(header.extents) == [
        Extent(path="two", offset_bytes=1000, size_bytes=200_000),
        Extent(path="three", offset_bytes=0, size_bytes=30_000),
    ]
    assert result.bytes_stored == path.stat().st_size


def test_a_whole_extent_keeps_its_digests(order: RepackObject, devices: dict[str, LocalDevice], tmp_path: Path) -> None:
    """Here on the device that holds the old object, too."""
    order = replace(order, device="a", device_id=IDS["a"], ranges=((70_000, SIZES["two"]),))

    repacked(order, devices, "a")

    old, new = (reader_of(tmp_path / "a" / object_key(one)).trailer for one in (OLD, NEW))
    assert new.extent_digests == old.extent_digests[16:32]
    assert new.cell_digests == old.cell_digests != b""


def test_a_repeat_finds_the_new_object(order: RepackObject, devices: dict[str, LocalDevice], tmp_path: Path) -> None:
    first = repacked(order, devices)
    written_at = (tmp_path / "b" / object_key(NEW)).stat().st_mtime_ns

    assert repacked(order, devices) == first
    assert (tmp_path / "b" / object_key(NEW)).stat().st_mtime_ns == written_at


def test_what_was_repacked_is_repacked_again_by_the_addresses_of_the_segment(
    order: RepackObject, devices: dict[str, LocalDevice], tmp_path: Path
) -> None:
    first = repacked(order, devices)
    again = replace(
        order,
        object_id="ae" * 16,
        from_object_id=NEW,
        from_device="b",
        from_device_id=IDS["b"],
        stored_bytes=first.bytes_stored,
        trailer_digest=first.trailer_digest,
        ranges=((70_000 + SIZES["two"] + 10_000, 20_000),),
    )

    repack_object(again, origin=devices["b"], device=devices["a"], progress=Progress())

    assert stream_of(tmp_path / "a" / object_key("ae" * 16)) == noise(30_000, seed=2)[10_000:]


@pytest.mark.parametrize("flaw", ["a unit", "another object", "missing", "another segment", "not all there"])
def test_what_is_not_what_was_stored_is_not_repacked(
    flaw: str, order: RepackObject, devices: dict[str, LocalDevice], tmp_path: Path
) -> None:
    path = tmp_path / "a" / object_key(OLD)
    data = bytearray(path.read_bytes())
    match flaw:
        case "a unit":
            data[150_000] ^= 1
            path.write_bytes(data)
        case "missing":
            path.unlink()
        case "another object":
            order = replace(order, trailer_digest="0" * 64)
        case "another segment":
            order = replace(order, segment_id="6" * 32)
        case "not all there":
            order = replace(order, ranges=((10 * 1024 * 1024, 5),))

    with pytest.raises(DamagedError):
        repacked(order, devices)

    assert [path for path in (tmp_path / "b").rglob("*") if path.is_file() and path.suffix != ".json"] == []
