"""A part of a stream, which a worker reads from a file of its own in the spool."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.values import Extent, Extents
from workers.sources.files import SourceFiles
from workers.sources.place import Place
from workers.sources.stream import ExtentStream


@pytest.mark.parametrize(("content", "troubles"), [(b"12345678", []), (b"123456", ["changed"])])
def test_a_part_is_read_from_its_beginning_and_is_nobodys_file(
    tmp_path: Path, content: bytes, troubles: list[str]
) -> None:
    (tmp_path / "00000003.part").write_bytes(content)
    extents = Extents.of([Extent(path="", offset_bytes=24, size_bytes=8)])
    read = bytearray(8)
    with (
        SourceFiles(Place("db.sql", tmp_path, "00000003.part")) as files,
        ExtentStream(files, extents, is_piece=True, spooled=True) as stream,
    ):
        assert stream.fill(memoryview(read)) == 8
    assert bytes(read) == content.ljust(8, b"\0")
    assert [note.trouble for note in stream.notes] == troubles
    assert stream.file_state is None
