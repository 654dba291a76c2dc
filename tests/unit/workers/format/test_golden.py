"""Segments that earlier releases wrote must be read by this one."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from kit.repository import REPOSITORY
from workers.format.reader import SegmentReader

GOLDEN_FOLDER = REPOSITORY / "tests/golden"
MADE: dict[str, Any] = runpy.run_path(str(GOLDEN_FOLDER / "make_segments.py"))
EXPECTED: dict[str, Any] = MADE["GOLDEN"]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_segment_is_read_as_it_was_written(name: str) -> None:
    stored = (GOLDEN_FOLDER / "segments" / f"{name}.seg").read_bytes()
    expected = EXPECTED[name]
    reader = SegmentReader(lambda offset, size: stored[offset : offset + size], len(stored))
    assert reader.header == expected.header
    assert reader.trailer.notes == expected.notes
    assert reader.trailer.file_state == expected.file_state
    assert (reader.trailer.extent_digests, reader.trailer.cell_digests) == MADE["digests"](expected)
    assert b"".join(reader.read_unit(index) for index in range(len(reader.units))) == expected.stream
    assert reader.stream_bytes == len(expected.stream)
    assert reader.damaged_ranges() == ()


def test_every_golden_segment_has_its_expectation() -> None:
    assert {path.stem for path in (GOLDEN_FOLDER / "segments").glob("*.seg")} == set(EXPECTED)
