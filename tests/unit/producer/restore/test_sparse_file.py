"""Files with holes in the places of zeros."""

from __future__ import annotations

from pathlib import Path

import pytest

from producer.restore.sparse_file import SparseFile

MIB = 1024 * 1024


@pytest.mark.parametrize(
    "parts",
    [[], [b"abc"], [bytes(MIB)], [b"a", bytes(MIB), b"b"], [bytes(3), b"abc" * MIB, bytes(MIB + 7)]],
    ids=["nothing", "bytes", "zeros", "zeros between", "zeros around"],
)
def test_a_file_with_holes_reads_as_what_was_written(tmp_path: Path, parts: list[bytes]) -> None:
    with (tmp_path / "image").open("wb") as file:
        sparse = SparseFile(file)
        for part in parts:
            assert sparse.write(part) == len(part)
        sparse.flush()

    assert (tmp_path / "image").read_bytes() == b"".join(parts)


def test_zeros_take_no_room(tmp_path: Path) -> None:
    with (tmp_path / "image").open("wb") as file:
        sparse = SparseFile(file)
        for _ in range(64):
            sparse.write(bytes(MIB))
        sparse.flush()

    found = (tmp_path / "image").stat()
    assert found.st_size == 64 * MIB
    assert found.st_blocks * 512 < MIB
