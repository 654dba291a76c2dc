"""Comparing a raw volume with what is stored of it: what changed, what is referred to, what is zeros."""

from __future__ import annotations

import os
from pathlib import Path

from producer.catalog.tables.objects import StoredObject
from producer.raw.compare import compare
from producer.raw.known import KnownCell, Reuse, references
from producer.raw.ranges import Range
from producer.raw.raw_volumes import RawVolume
from tasks.digests import CELL_BYTES, content_digest


def stored(name: str) -> StoredObject:
    return StoredObject(
        object_id=name * 32,
        segment_id=name * 32,
        device_id="d" * 32,
        device="a",
        snapshot_id="5" * 32,
        size_bytes=0,
        bytes_stored=77,
        trailer_digest=b"",
    )


def raw_volume(path: Path, content: bytes, *unused: Range) -> RawVolume:
    path.write_bytes(content)
    return RawVolume(name="disk", path=path, entry=3, size_bytes=len(content), unused=unused)


def known(content: bytes, *numbers: int) -> dict[int, KnownCell]:
    """Cells of ``content``, all in one segment, one behind the other."""
    return {
        number * CELL_BYTES: KnownCell(
            content_digest(content[number * CELL_BYTES : (number + 1) * CELL_BYTES]), stored("1"), place * CELL_BYTES
        )
        for place, number in enumerate(numbers)
    }


def no_word(_: int) -> None:
    pass


def test_nothing_is_read_when_nothing_is_known(tmp_path: Path) -> None:
    disk = raw_volume(tmp_path / "disk", os.urandom(3 * CELL_BYTES), Range(CELL_BYTES, 2 * CELL_BYTES))
    disk.path.unlink()
    assert compare(disk, {}, no_word).stored == [Range(0, CELL_BYTES), Range(2 * CELL_BYTES, 3 * CELL_BYTES)]


def test_changed_cells_are_stored_equal_ones_referred_to_and_zeros_neither(tmp_path: Path) -> None:
    content = os.urandom(2 * CELL_BYTES) + bytes(CELL_BYTES) + os.urandom(1000)
    cells = known(content, 0, 3)
    found = compare(raw_volume(tmp_path / "disk", content), cells, no_word)
    assert found.stored == [Range(CELL_BYTES, 2 * CELL_BYTES)]
    assert [(item.start, item.size_bytes) for item in found.reused] == [(0, CELL_BYTES), (3 * CELL_BYTES, 1000)]


def test_unused_bytes_count_as_zeros(tmp_path: Path) -> None:
    content = os.urandom(CELL_BYTES)
    as_stored = content[:1000] + bytes(CELL_BYTES - 1000)
    disk = raw_volume(tmp_path / "disk", content, Range(1000, CELL_BYTES))
    assert compare(disk, known(as_stored, 0), no_word).stored == []


def test_a_cell_that_cannot_be_read_is_left_to_the_worker(tmp_path: Path) -> None:
    disk = raw_volume(tmp_path / "disk", os.urandom(2 * CELL_BYTES))
    cells = known(disk.path.read_bytes(), 0, 1)
    os.truncate(disk.path, CELL_BYTES + 5)
    assert compare(disk, cells, no_word).stored == [Range(CELL_BYTES, 2 * CELL_BYTES)]


def test_neighbours_in_one_segment_become_one_reference() -> None:
    one, two = stored("1"), stored("2")
    reused = [
        Reuse(0, CELL_BYTES, KnownCell(b"a" * 16, one, 0)),
        Reuse(CELL_BYTES, CELL_BYTES, KnownCell(b"b" * 16, one, CELL_BYTES)),
        # Not the next in the stream.
        Reuse(2 * CELL_BYTES, CELL_BYTES, KnownCell(b"c" * 16, one, 5 * CELL_BYTES)),
        Reuse(3 * CELL_BYTES, CELL_BYTES, KnownCell(b"d" * 16, two, 6 * CELL_BYTES)),
        # Not the next in the raw volume.
        Reuse(9 * CELL_BYTES, 100, KnownCell(b"e" * 16, two, 7 * CELL_BYTES)),
    ]
    rows = list(references(reused, entry=3))
    assert [(row.stored_as[0], row.offset_bytes, row.size_bytes, row.stream_offset_bytes) for row in rows] == [
        ("1", 0, 2 * CELL_BYTES, 0),
        ("1", 2 * CELL_BYTES, CELL_BYTES, 5 * CELL_BYTES),
        ("2", 3 * CELL_BYTES, CELL_BYTES, 6 * CELL_BYTES),
        ("2", 9 * CELL_BYTES, 100, 7 * CELL_BYTES),
    ]
    assert rows[0].cell_digests == b"a" * 16 + b"b" * 16
    assert {(row.entry, row.bytes_stored, row.device_id) for row in rows} == {(3, 77, "d" * 32)}
