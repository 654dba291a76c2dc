"""``--sparse``: long zeros that were written take no space."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.tree import Tree

MIB = 1024 * 1024
#: In one segment, and in several; zeros at the end too.
FILES = {
    "small": b"x" * 1000 + bytes(192 * 1024),
    "large": b"x" * 70_000 + bytes(2 * MIB) + b"y" + bytes(MIB),
}


@pytest.mark.parametrize("sparse", [True, False])
def test_written_zeros_become_holes_only_if_asked_for(tmp_path: Path, sparse: bool) -> None:
    with in_process(tmp_path) as made:
        made.back_up({"data": Tree(dict(FILES)).make(tmp_path / "data")}, segment_bytes=MIB, unit_bytes=MIB)
        assert made.restore(sparse=sparse, verify=True).exit_code == 0
    for name, content in FILES.items():
        restored = tmp_path / "target/data" / name
        assert restored.read_bytes() == content
        assert (restored.stat().st_blocks * 512 < len(content) - 100_000) == sparse
