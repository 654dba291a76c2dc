"""Ranges of a segment that travel back in receipts."""

import base64
from typing import cast

import pytest

from kit.stored.segment_in_memory import OBJECT_ID, UNIT, MemoryDevice, Progress, pattern, store
from tasks.errors import DamagedError
from tasks.orders import MAX_READ_BYTES, ReadSegment
from workers.devices.base import Device
from workers.restore import StreamRangeReader

DATA = pattern(5 * UNIT + 77)


def read(
    device: MemoryDevice,
    offset: int,
    size: int,
    *,
    object_id: str = OBJECT_ID,
    reader: StreamRangeReader | None = None,
) -> bytes:
    order = ReadSegment(
        run_id="1" * 32,
        order_id="2" * 32,
        device="a",
        device_id="ef" * 16,
        epoch=0,
        attempt=1,
        reply_to="manager.m",
        object_id=object_id,
        trailer_digest=device.trailer_digest.hex(),
        stream_offset_bytes=offset,
        size_bytes=size,
    )
    result = (reader or StreamRangeReader()).read(order, device=cast(Device, device), progress=Progress())
    return base64.b64decode(result.data_base64)


@pytest.mark.parametrize(
    ("offset", "size"),
    [(0, 1), (0, len(DATA)), (UNIT - 1, 2), (UNIT, UNIT), (2 * UNIT + 5, 2 * UNIT), (len(DATA) - 1, 1)],
)
def test_a_range_is_what_was_stored_there(offset: int, size: int) -> None:
    assert size <= MAX_READ_BYTES
    assert read(store({"big": DATA}), offset, size) == DATA[offset : offset + size]


def test_ranges_of_one_unit_decode_it_once() -> None:
    device, reader = store({"big": DATA}), StreamRangeReader()
    first_unit = device.units()[0].stored_offset_bytes
    device.reads.clear()

    parts = [read(device, start, UNIT // 4, reader=reader) for start in range(0, UNIT, UNIT // 4)]

    assert b"".join(parts) == DATA[:UNIT]
    assert device.reads.count(first_unit) == 1


@pytest.mark.parametrize(("kept_units_count", "expected_reads_count"), [(2, 1), (1, 4), (0, 4)])
def test_readers_that_take_turns_share_the_units_that_are_kept(
    kept_units_count: int, expected_reads_count: int
) -> None:
    device, reader = store({"big": DATA}), StreamRangeReader(kept_bytes=kept_units_count * UNIT)
    first_unit = device.units()[0].stored_offset_bytes
    device.reads.clear()

    for start in range(0, UNIT, UNIT // 4):
        assert read(device, start, 10, reader=reader) == DATA[start : start + 10]
        assert read(device, 2 * UNIT + start, 10, reader=reader) == DATA[2 * UNIT + start : 2 * UNIT + start + 10]

    assert device.reads.count(first_unit) == expected_reads_count


@pytest.mark.parametrize(("offset", "size"), [(len(DATA), 1), (len(DATA) - 1, 2), (10**9, 10)])
def test_a_range_beyond_the_end_is_refused(offset: int, size: int) -> None:
    with pytest.raises(DamagedError):
        read(store({"big": DATA}), offset, size)


def test_a_damaged_unit_fails_the_ranges_in_it_and_no_others() -> None:
    device, reader = store({"big": DATA}), StreamRangeReader()
    device.damage_unit(1)

    with pytest.raises(DamagedError, match="unit 1"):
        read(device, UNIT - 10, 20, reader=reader)
    assert read(device, 2 * UNIT, 10, reader=reader) == DATA[2 * UNIT : 2 * UNIT + 10]


def test_a_segment_that_is_not_there_is_damage() -> None:
    with pytest.raises(DamagedError, match="is not on device a"):
        read(store({"big": DATA}), 0, 1, object_id="0" * 32)
