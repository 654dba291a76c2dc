"""The shell lines of docs/format.md do what the page says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from kit.needs import need_tools
from kit.repository import REPOSITORY

SEGMENT = REPOSITORY / "tests/golden/segments/bundle-v1.seg"
LINES = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "docs/format.md").read_text(), flags=re.DOTALL)
UNIT_BYTES = 64 * 1024


def run(folder: Path, stored: bytes, lines: str) -> None:
    need_tools("zstd", "od", "python3")
    (folder / "x.seg").write_bytes(stored)
    script = lines.replace("5eed….seg", "x.seg")
    subprocess.run(["bash", "-ec", script], cwd=folder, check=True, capture_output=True)


def test_zstd_alone_gives_the_stream_and_the_header_back(tmp_path: Path) -> None:
    whole_stream, show_header, *_ = LINES
    run(tmp_path, SEGMENT.read_bytes(), whole_stream + f"({show_header}) > header.json")
    assert (tmp_path / "stream").read_bytes().startswith(b"first file\n")
    assert '"paths":["a/one.txt","a/three.txt","a/two.txt"]' in (tmp_path / "header.json").read_text()


def test_the_files_of_a_segment_come_back_by_hand(tmp_path: Path) -> None:
    _, show_header, all_files, _ = LINES
    run(tmp_path, SEGMENT.read_bytes(), show_header + all_files)
    assert (tmp_path / "out/a/one.txt").read_bytes() == b"first file\n"
    assert (tmp_path / "out/a/three.txt").stat().st_size == 100_000
    assert (tmp_path / "out/a/two.txt").read_bytes() == b"another file\n"
    assert not any(path.stat().st_mode & 0o111 for path in (tmp_path / "out/a").iterdir())


def test_what_lies_behind_a_damaged_unit_comes_back_by_hand(tmp_path: Path) -> None:
    *_, unit_by_unit = LINES
    stored = bytearray(SEGMENT.read_bytes())
    run(tmp_path, bytes(stored), unit_by_unit)
    stream = (tmp_path / "stream").read_bytes()
    stored[1500] ^= 0xFF
    run(tmp_path, bytes(stored), unit_by_unit)
    assert (tmp_path / "stream").read_bytes() == bytes(UNIT_BYTES) + stream[UNIT_BYTES:]
