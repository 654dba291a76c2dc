"""Each run that only reads has a place of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from producer.host.reading_place import place_to_read
from producer.host.state import LONGEST_SOCKET_PATH_BYTES, StateFolder

READER = """
import sys
from pathlib import Path
from producer.host.reading_place import place_to_read
from producer.host.state import StateFolder

print(place_to_read(StateFolder(path=Path(sys.argv[1]))).broker_dir, flush=True)
sys.stdin.readline()
"""


def test_two_processes_have_different_places_and_each_keeps_its_own(tmp_path: Path) -> None:
    state = StateFolder(path=tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", READER, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout is not None
            theirs = Path(other.stdout.readline().strip())
            mine = place_to_read(state)
            assert theirs == tmp_path / "readers/1/broker"
            assert mine.broker_dir == tmp_path / "readers/2/broker"
            assert mine.catalog_url == state.catalog_url
            assert mine.locks_dir.is_dir()
            assert place_to_read(state) == mine
        finally:
            other.kill()


def test_a_state_folder_whose_path_is_nearly_too_long_has_its_readers_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = tmp_path / ("x" * (LONGEST_SOCKET_PATH_BYTES - len(str(tmp_path)) - len("//broker/broker.sock")))
    path.mkdir()
    place = place_to_read(StateFolder(path=path))
    assert place.path == path
    assert not place.broker_dir.is_relative_to(path)
