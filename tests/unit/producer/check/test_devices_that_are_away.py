"""What a check and a restore say of a device that is away, and of one that will not come back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.tree import Tree, noise
from producer.pool.losses.lost import device_named, mark_lost


@pytest.mark.parametrize(("is_lost", "word"), [(False, "absent"), (True, "lost")])
def test_a_check_and_a_restore_say_whether_a_device_is_absent_or_lost(tmp_path: Path, is_lost: bool, word: str) -> None:
    source = Tree({str(number): noise(20_000, seed=number) for number in range(8)}).make(tmp_path / "data")
    with in_process(tmp_path, "ab") as pool:
        pool.back_up({"data": source}, bundle=False)
        shutil.rmtree(pool.device("a"))
        pool.devices = "b"
        if is_lost:
            mark_lost(pool.catalog, device_named(pool.catalog, "a"))

        assert pool.check().exit_code == 3
        assert [m for m in pool.messages if m.endswith(f"its device a is {word}")], pool.messages
        assert pool.restore().exit_code == 3
        assert {m.rpartition("device a")[2] for m in pool.messages} == {f", which is {word}"}
