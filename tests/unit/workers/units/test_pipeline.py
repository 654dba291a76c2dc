"""Units go through the pipeline in order, within bounds, and no thread outlives it."""

from __future__ import annotations

import io
import random
import threading

import pytest
from blake3 import blake3

from workers.units.compress import decompress_unit
from workers.units.pipeline import UnitPipeline

UNIT_BYTES = 64 * 1024
STREAM = random.Random(3).randbytes(20 * UNIT_BYTES) + b"rest"
SIZES_BYTES = [UNIT_BYTES] * 20 + [4]


def threads_of_pipelines() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(("compress", "read-units"))]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_frames_come_in_stream_order_with_their_digests(threads: int) -> None:
    stream, content = io.BytesIO(STREAM), b""
    with UnitPipeline(SIZES_BYTES, stream.readinto, level=1, threads=threads) as units:
        for unit in units:
            assert unit.digest == blake3(unit.frame).digest()
            content += decompress_unit(unit.frame, unit.size_bytes)
    assert content == STREAM
    assert threads_of_pipelines() == []


@pytest.mark.parametrize("threads", [1, 3])
def test_the_number_of_units_on_the_way_and_of_buffers_is_bounded(threads: int) -> None:
    filled_count, taken_count, excess, buffers = 0, 0, [], set()

    def fill(buffer: memoryview) -> None:
        nonlocal filled_count
        filled_count += 1
        buffers.add(id(buffer.obj))
        excess.append(filled_count - taken_count - 2 * threads)

    with UnitPipeline(SIZES_BYTES, fill, level=1, threads=threads) as units:
        for _ in units:
            taken_count += 1
    assert filled_count == len(SIZES_BYTES)
    assert max(excess) <= 0
    assert len(buffers) <= threads + 1


def test_a_failure_to_read_is_raised_when_its_unit_is_due() -> None:
    calls = iter(range(100))

    def fill(buffer: memoryview) -> None:
        if next(calls) == 3:
            raise OSError("cable pulled")

    taken_count = 0
    with (
        pytest.raises(OSError, match="cable pulled"),
        UnitPipeline(SIZES_BYTES, fill, level=1, threads=2) as units,
    ):
        for _ in units:
            taken_count += 1
    assert taken_count == 3
    assert threads_of_pipelines() == []


def test_a_failure_to_compress_is_raised_when_its_unit_is_due() -> None:
    with (
        pytest.raises(ValueError, match="level"),
        UnitPipeline(SIZES_BYTES, lambda buffer: None, level=99, threads=2) as units,
    ):
        next(iter(units))
    assert threads_of_pipelines() == []


def test_leaving_early_ends_all_threads() -> None:
    with (
        pytest.raises(RuntimeError, match="disk full"),
        UnitPipeline(SIZES_BYTES, lambda buffer: None, level=1, threads=2) as units,
    ):
        for _ in units:
            raise RuntimeError("disk full")
    assert threads_of_pipelines() == []


def test_a_stream_of_nothing_has_no_units() -> None:
    with UnitPipeline([], lambda buffer: None, level=1, threads=2) as units:
        assert list(units) == []
