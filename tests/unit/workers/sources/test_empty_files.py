"""Files that were empty at the walk are read, so that none is taken for empty that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.errors import SourceError
from tasks.orders import ConfirmEmpty
from tasks.values import SourcePlace
from workers.sources.empty_files import confirm_empty

ENVELOPE: dict[str, Any] = {
    "run_id": "1" * 32,
    "order_id": "2" * 32,
    "device": "a",
    "device_id": "",
    "epoch": 0,
    "attempt": 1,
    "reply_to": "manager.x",
}


#: What files with "hole" in their names were at the walk.
HOLE_BYTES = 1_000_000


def look(root: Path, *paths: str, within: SourcePlace | None = None) -> list[tuple[int, str]]:
    sizes_bytes = tuple(HOLE_BYTES if "hole" in path else 0 for path in paths)
    order = ConfirmEmpty(**ENVELOPE, source="s", paths=paths, sizes_bytes=sizes_bytes, within=within)
    notes = confirm_empty(order, source_root=root, beat=lambda: None).notes
    return [(note.index, note.trouble) for note in notes]


def test_what_has_data_is_noted_and_what_is_empty_or_gone_is_not(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "empty").touch()
    (tmp_path / "folder" / "written").write_bytes(b"1")
    (tmp_path / "link").symlink_to("folder/written")

    notes = look(tmp_path, "folder/empty", "folder/written", "gone", "folder", "link")

    assert notes == [(1, "changed"), (3, "changed"), (4, "unreadable")]
    assert look(tmp_path / "folder", "", "written") == [(0, "changed"), (1, "changed")]
    assert look(tmp_path / "folder" / "empty", "") == []


def test_a_hole_is_no_data_until_something_is_written_or_its_size_changes(tmp_path: Path) -> None:
    for name, size_bytes in {"hole": HOLE_BYTES, "written hole": HOLE_BYTES, "longer hole": HOLE_BYTES + 1}.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size_bytes)
    with (tmp_path / "written hole").open("r+b") as file:
        file.write(b"1")

    assert look(tmp_path, "hole", "written hole", "longer hole") == [(1, "changed"), (2, "changed")]


def test_a_file_is_read_though_its_size_is_told_as_0() -> None:
    assert Path("/proc/self/status").stat().st_size == 0

    assert look(Path("/proc/self"), "status", within=None) == [(0, "changed")]


def test_a_source_may_lie_below_a_configured_one(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").write_bytes(b"1")

    assert look(tmp_path, "file", within=SourcePlace(source="root", path="below")) == [(0, "changed")]


def test_a_source_that_is_not_there_fails_the_order(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        look(tmp_path / "gone", "file")
