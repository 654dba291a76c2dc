"""Reading a raw volume: bad blocks, short reads, the end of the volume, unused ranges, digests of cells."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tasks.digests import CELL_BYTES, content_digest
from tasks.errors import SourceError
from tasks.orders import StoreSegment
from tasks.raw import RawReading
from tasks.values import Extents
from workers.sources.direct import open_reader
from workers.sources.place import Place
from workers.sources.raw import RawStream

CONTENT = os.urandom(2 * CELL_BYTES + 5000)


class Disk:
    """A volume in memory, of which ranges fail, and which gives no more than ``most_bytes`` at a time."""

    def __init__(
        self,
        content: bytes,
        bad: Sequence[tuple[int, int]] = (),
        *,
        most_bytes: int = 2**40,
        error: int = errno.EIO,
        changes: bool = False,
    ) -> None:
        self._content, self._bad, self._most_bytes, self._error = content, bad, most_bytes, error
        self._changes = changes
        self.reads_count = 0

    def read_into(self, buffer: memoryview, offset_bytes: int) -> int:
        self.reads_count += 1
        stop = offset_bytes + len(buffer)
        if any(start < stop and offset_bytes < end for start, end in self._bad):
            raise OSError(self._error, os.strerror(self._error))
        part = self._content[offset_bytes : min(stop, offset_bytes + self._most_bytes)]
        buffer[: len(part)] = part
        return len(part)

    def was_changed(self) -> bool:
        return self._changes

    def file_state(self) -> None:
        """As a block device."""

    def close(self) -> None:
        pass


def order(size_bytes: int = len(CONTENT), *, offset_bytes: int = 0, raw: RawReading | None = None) -> StoreSegment:
    return StoreSegment(
        run_id="1" * 32,
        order_id="2" * 32,
        device="a",
        device_id="3" * 32,
        epoch=0,
        attempt=1,
        reply_to="manager.m",
        segment_id="2" * 32,
        object_id="b" * 32,
        snapshot_id="4" * 32,
        volume="v",
        number=0,
        source="disk",
        extents=Extents(paths=("",), offsets_bytes=(offset_bytes,), sizes_bytes=(size_bytes,)),
        threshold_bytes=1,
        unit_bytes=24 * 1024 * 1024,
        block_bytes=4096,
        level=3,
        threads=1,
        raw=raw or RawReading(),
    )


def made(order: StoreSegment, reader: Disk) -> RawStream:
    assert order.raw is not None
    return RawStream(order.extents, order.raw, reader, where="source disk: /disk")


def read(stream: RawStream, size_bytes: int, step_bytes: int = 3_000_000) -> bytes:
    found = b""
    while len(found) < size_bytes:
        buffer = bytearray(min(step_bytes, size_bytes - len(found)))
        assert stream.fill(memoryview(buffer)) == len(buffer)
        found += bytes(buffer)
    return found


def test_the_piece_comes_back_whatever_the_steps_and_each_cell_has_its_digest() -> None:
    stream = made(order(), Disk(CONTENT))
    assert read(stream, len(CONTENT)) == CONTENT
    cells = [CONTENT[start : start + CELL_BYTES] for start in range(0, len(CONTENT), CELL_BYTES)]
    assert bytes(stream.digests.cells) == b"".join(map(content_digest, cells))
    assert bytes(stream.digests.extents) == content_digest(bytes(stream.digests.cells))
    assert stream.notes == []


def test_several_extents_come_one_after_the_other_and_each_has_its_digest_and_its_notes() -> None:
    extents = Extents(paths=("", ""), offsets_bytes=(0, 2 * CELL_BYTES), sizes_bytes=(CELL_BYTES, 5000))
    disk = Disk(CONTENT, [(2 * CELL_BYTES, 2 * CELL_BYTES + 100)])
    stream = RawStream(extents, RawReading(), disk, where="source disk: /disk")
    tail = bytes(4096) + CONTENT[2 * CELL_BYTES + 4096 :]
    assert read(stream, CELL_BYTES + 5000) == CONTENT[:CELL_BYTES] + tail
    assert bytes(stream.digests.extents) == content_digest(CONTENT[:CELL_BYTES]) + content_digest(tail)
    assert [(note.index, note.read_bytes) for note in stream.notes] == [(1, 5000)]


def test_a_read_that_comes_back_short_is_read_on() -> None:
    stream = made(order(), Disk(CONTENT, most_bytes=70_001))
    assert read(stream, len(CONTENT)) == CONTENT
    assert stream.notes == []


def test_a_piece_that_begins_within_a_cell_has_the_digests_of_its_parts_of_cells() -> None:
    stream = made(order(CELL_BYTES, offset_bytes=4096), Disk(CONTENT))
    assert read(stream, CELL_BYTES) == CONTENT[4096 : 4096 + CELL_BYTES]
    parts = CONTENT[4096:CELL_BYTES], CONTENT[CELL_BYTES : CELL_BYTES + 4096]
    assert bytes(stream.digests.cells) == b"".join(map(content_digest, parts))


def test_bad_blocks_are_zeros_and_named_and_all_else_is_read() -> None:
    bad = [(8192, 12288), (12288, 16384), (CELL_BYTES + 4096, CELL_BYTES + 8192)]
    stream = made(order(), Disk(CONTENT, bad))
    expected = bytearray(CONTENT)
    expected[8192:16384] = bytes(8192)
    expected[CELL_BYTES + 4096 : CELL_BYTES + 8192] = bytes(4096)
    assert read(stream, len(CONTENT)) == bytes(expected)
    assert [note.trouble for note in stream.notes] == ["bad-blocks", "bad-blocks"]
    assert "bytes 8192 to 16384 " in stream.notes[0].message
    assert f"bytes {CELL_BYTES + 4096} to {CELL_BYTES + 8192} " in stream.notes[1].message


def test_a_few_bad_sectors_do_not_cost_a_read_for_every_sector() -> None:
    disk = Disk(CONTENT, [(8192, 12288)])
    read(made(order(), disk), len(CONTENT), step_bytes=len(CONTENT))
    assert disk.reads_count < 60


def test_a_volume_that_has_shrunk_ends_in_zeros_and_says_so() -> None:
    stream = made(order(), Disk(CONTENT[:5_000_000]))
    assert read(stream, len(CONTENT)) == CONTENT[:5_000_000] + bytes(len(CONTENT) - 5_000_000)
    assert stream.notes
    assert all("ends before" in note.message for note in stream.notes)
    assert all(note.read_bytes == len(CONTENT) for note in stream.notes)


def test_a_volume_that_goes_away_fails_the_order_instead_of_giving_zeros() -> None:
    stream = made(order(), Disk(CONTENT, [(0, 1)], error=errno.ENXIO))
    with pytest.raises(SourceError, match="disk"):
        read(stream, len(CONTENT))


def test_unused_ranges_are_zeros_and_not_read() -> None:
    raw = RawReading(unused_offsets_bytes=(1000, 5_000_000), unused_sizes_bytes=(2_500_000, 100_000))
    # Reading there would fail.
    disk = Disk(CONTENT, [(1000, 2_501_000), (5_000_000, 5_100_000)])
    expected = bytearray(CONTENT)
    expected[1000:2_501_000] = bytes(2_500_000)
    expected[5_000_000:5_100_000] = bytes(100_000)
    stream = made(order(raw=raw), disk)
    assert read(stream, len(CONTENT)) == bytes(expected)
    assert stream.notes == []
    assert stream.digests.cells[:16] == content_digest(bytes(expected[:CELL_BYTES]))


def test_an_image_that_is_written_meanwhile_is_noted() -> None:
    stream = made(order(), Disk(CONTENT, changes=True))
    read(stream, len(CONTENT))
    assert [note.trouble for note in stream.notes] == ["changed"]


def test_a_volume_that_is_not_there_is_an_error_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        Place("disk", tmp_path / "gone")


def test_a_folder_in_the_place_of_a_volume_is_an_error_of_the_source(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="neither a block device nor an image file"):
        open_reader(Place("disk", tmp_path))
