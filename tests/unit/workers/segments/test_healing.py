"""A segment that is healed: only what has its digest is stored, as ranges of the old segment."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tasks.digests import NO_DIGEST, split_digests
from tasks.orders import StoreSegment
from tasks.receipts import StoreResult
from tasks.values import Extent, Extents
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker
from workers.format.header import SegmentHeader
from workers.format.reader import SegmentReader
from workers.progress import OrderProgress
from workers.segments.store import store_segment

DEVICE_ID = "d" * 32
FILES = {"a": b"first" * 1000, "b": b"second" * 1000, "c": b"third" * 1000}


class Progress(OrderProgress):
    def __init__(self) -> None: ...

    def add(self, bytes_count: int) -> None: ...

    def beat(self) -> None: ...


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    for path, data in FILES.items():
        (root / path).write_bytes(data)
    return root


@pytest.fixture
def device(tmp_path: Path) -> LocalDevice:
    (tmp_path / "device").mkdir()
    device = LocalDevice("a", tmp_path / "device")
    device.write_marker(Marker(format_version=1, device_id=DEVICE_ID, name="a", pool_id="e" * 32, created=""))
    device.claim(DEVICE_ID)
    return device


ORDER = StoreSegment(
    run_id="0" * 32,
    order_id="7" * 32,
    device="a",
    device_id=DEVICE_ID,
    epoch=0,
    attempt=1,
    reply_to="manager.local",
    segment_id="7" * 32,
    object_id="0a" * 16,
    snapshot_id="1" * 32,
    volume="home",
    number=3,
    source="source",
    extents=Extents.of([Extent(path=path, offset_bytes=0, size_bytes=len(data)) for path, data in FILES.items()]),
    threshold_bytes=10**6,
    unit_bytes=64 * 1024,
    block_bytes=4096,
    level=3,
    threads=1,
)


def store(device: LocalDevice, source: Path, order: StoreSegment) -> StoreResult:
    return store_segment(order, device=device, source_root=source, progress=Progress())


def healing(device: LocalDevice, source: Path) -> StoreSegment:
    """Heals all files of a segment, which lay in its stream with a gap before the last one."""
    digests = store(device, source, ORDER).extent_digests
    return replace(ORDER, object_id="0b" * 16, known_digests=digests, stream_offsets_bytes=(100, 5_100, 20_000))


def header_of(device: LocalDevice, order: StoreSegment) -> SegmentHeader:
    stored = device.open(object_key(order.object_id))
    assert stored is not None
    with stored:
        return SegmentReader(stored.read, stored.size_bytes).header


def test_what_has_its_digest_is_stored_as_ranges_of_the_old_segment(device: LocalDevice, source: Path) -> None:
    order = healing(device, source)

    result = store(device, source, order)

    assert (result.unchanged, result.bytes_source) == ((), 16_000)
    header = header_of(device, order)
    assert (header.segment_id, header.ranges) == ("7" * 32, ((100, 11_000), (20_000, 5_000)))


def test_what_has_another_content_is_left_out_and_said(device: LocalDevice, source: Path) -> None:
    order = healing(device, source)
    (source / "b").write_bytes(b"SECOND" * 1000)

    result = store(device, source, order)
    again = store(device, source, order)

    assert (result.unchanged, result.bytes_source, result.notes) == ((1,), 10_000, ())
    header = header_of(device, order)
    assert (header.extents.paths, header.ranges) == (("a", "c"), ((100, 5_000), (20_000, 5_000)))
    assert (again.found, again.unchanged, again.trailer_digest) == (True, (1,), result.trailer_digest)


def test_nothing_is_stored_where_nothing_is_as_it_was(device: LocalDevice, source: Path) -> None:
    order = healing(device, source)
    for path, data in FILES.items():
        (source / path).write_bytes(data.upper())
    (source / "c").unlink()

    result = store(device, source, order)

    assert (result.unchanged, result.trailer_digest, result.bytes_stored) == ((0, 1, 2), "", 0)
    assert device.open(object_key(order.object_id)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"stream_offsets_bytes": (0, 5_000)},
        {"stream_offsets_bytes": (0, 4_999, 20_000)},
        {"known_digests": b""},
    ],
)
def test_an_order_to_heal_has_a_digest_and_a_place_for_each_extent(
    device: LocalDevice, source: Path, changes: dict[str, object]
) -> None:
    order = healing(device, source)
    assert NO_DIGEST not in list(split_digests(order.known_digests))
    with pytest.raises(ValueError, match="healed"):
        replace(order, **changes)
