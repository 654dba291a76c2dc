"""Extents of files with holes: each is a part of its file, in pieces and in bundles."""

from pathlib import Path

import pytest

from tasks.sources.states import WalkedStates
from tasks.values import Extent, Extents
from workers.sources.files import SourceFiles
from workers.sources.place import Place
from workers.sources.stream import ExtentStream

#: Path, offset, size: two ranges of a file that ends with a hole, and a file without holes.
ROWS = [("sparse", 0, 4), ("sparse", 10, 5), ("whole", 0, 6)]
CONTENT = b"dataHOLE..other" + b"HOLE"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sparse").write_bytes(CONTENT)
    (tmp_path / "whole").write_bytes(b"whole!")
    return tmp_path


def states_of(root: Path, rows: list[tuple[str, int, int]]) -> WalkedStates:
    found = [(root / path).stat() for path, *_ in rows]
    return WalkedStates(
        mtimes_ns=[status.st_mtime_ns for status in found],
        ctimes_ns=[status.st_ctime_ns for status in found],
        modes=[status.st_mode & 0o7777 for status in found],
        uids=[status.st_uid for status in found],
        gids=[status.st_gid for status in found],
    )


def read(
    root: Path, rows: list[tuple[str, int, int]], states: WalkedStates, *, is_piece: bool
) -> tuple[bytes, list[tuple[int, str]], ExtentStream]:
    extents = Extents.of([Extent(path=path, offset_bytes=at, size_bytes=size) for path, at, size in rows])
    sparse = [index for index, (path, *_) in enumerate(rows) if path == "sparse"]
    with (
        SourceFiles(Place("s", root)) as files,
        ExtentStream(files, extents, states, is_piece=is_piece, sparse=sparse) as stream,
    ):
        buffer = memoryview(bytearray(extents.total_bytes))
        assert stream.fill(buffer) == len(buffer)
    return bytes(buffer), [(note.index, note.trouble) for note in stream.notes], stream


def test_a_bundle_holds_ranges_of_a_file_with_holes_beside_whole_files(root: Path) -> None:
    data, notes, stream = read(root, ROWS, states_of(root, ROWS), is_piece=False)
    assert (data, notes, stream.file_state) == (b"data" + b"other" + b"whole!", [], None)


def test_a_piece_of_several_ranges_says_how_the_file_was(root: Path) -> None:
    data, notes, stream = read(root, ROWS[:2], states_of(root, ROWS[:2]), is_piece=True)
    assert (data, notes) == (b"dataother", [])
    assert stream.file_state is not None
    assert stream.file_state.size_bytes == len(CONTENT)


@pytest.mark.parametrize("is_piece", [True, False])
def test_what_was_written_into_a_hole_since_the_walk_makes_the_file_changed(root: Path, is_piece: bool) -> None:
    rows = ROWS[:2] if is_piece else ROWS
    states = states_of(root, rows)
    with (root / "sparse").open("r+b") as file:
        file.seek(6)
        file.write(b"new")
    data, notes, _ = read(root, rows, states, is_piece=is_piece)
    assert data.startswith(b"dataother")
    assert notes == [(0, "changed"), (1, "changed")]


def test_a_file_that_was_cut_in_a_hole_keeps_what_was_before(root: Path) -> None:
    states = states_of(root, ROWS)
    with (root / "sparse").open("r+b") as file:
        file.truncate(7)
    data, notes, stream = read(root, ROWS, states, is_piece=False)
    assert data == b"data" + bytes(5) + b"whole!"
    assert notes == [(0, "changed"), (1, "changed")]
    assert [note.read_bytes for note in stream.notes] == [4, 0]
