"""Whether a folder can be written, asked without leaving anything in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kit.program.nobody import as_nobody
from producer.host import room
from producer.host.room import why_not_writable


def test_a_folder_with_room_can_be_written_and_stays_empty(tmp_path: Path) -> None:
    assert why_not_writable(tmp_path) == ""
    assert os.listdir(tmp_path) == []


def test_a_folder_without_room_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_ROOM_BYTES", 2**60)
    assert why_not_writable(tmp_path) != ""


def test_where_files_need_names_the_file_system_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room._ask(tmp_path)
    monkeypatch.setattr(room, "_ROOM_BYTES", 2**60)
    with pytest.raises(OSError, match="No space left"):
        room._ask(tmp_path)


def test_a_folder_of_others_cannot_be_written(tmp_path: Path) -> None:
    def ask(folder: Path) -> None:
        closed = folder / "closed"
        closed.mkdir(mode=0o500)
        assert why_not_writable(closed) == "Permission denied"

    as_nobody(tmp_path, ask)
