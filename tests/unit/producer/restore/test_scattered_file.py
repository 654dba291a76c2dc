"""A large file of which every other cell has changed: in many places, of few objects."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

from kit.compare import differences
from kit.models.in_process import in_process
from kit.tree import noise
from tasks.digests import CELL_BYTES
from tasks.orders import RestoreSegment

_CELLS_COUNT = 66
#: Compresses to next to nothing; no hole.
_CELL = noise(4096, seed=1) * (CELL_BYTES // 4096)


def test_it_is_restored_in_one_pass_over_each_object_and_prune_tells_of_it(tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    with (source / "image").open("wb") as file:
        for _ in range(_CELLS_COUNT):
            file.write(_CELL)
    with in_process(tmp_path) as pool:
        pool.back_up({"data": source}, segment_bytes=2**30)
        assert pool.prune(dry_run=True).files_scattered == 0
        with (source / "image").open("r+b") as file:
            for cell in range(0, _CELLS_COUNT, 2):
                file.seek(cell * CELL_BYTES)
                file.write(b"changed")
        pool.back_up({"data": source}, segment_bytes=2**30)

        pool.restore()
        orders = [order for order in pool.orders if isinstance(order, RestoreSegment)]
        assert sum(len(order.paths) for order in orders) == _CELLS_COUNT
        assert set(Counter(order.object_id for order in orders).values()) == {1}
        for order in orders:
            assert all(before < after for before, after in pairwise(order.stream_offsets_bytes))
            assert all(before < after for before, after in pairwise(order.offsets_bytes))
        assert differences(source, pool.target / "data") == []

        assert pool.prune().files_scattered == 1
