"""A repack of what a lost device held too."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit.models.in_process import in_process
from kit.models.pruned_pool import Pool
from kit.tree import noise
from producer.pool.losses.lost import device_named, mark_lost
from producer.requests import RepackLimits


def test_after_the_repack_nobody_misses_the_copies_that_the_lost_device_had(tmp_path: Path) -> None:
    with in_process(tmp_path, "abc") as made:
        made.ignore_ctime = True
        pool = Pool(tmp_path, made)
        for number in range(40):
            (pool.source / f"{number:02}").write_bytes(noise(6000, seed=number))
        first = made.back_up({"data": pool.source}, copies=2).snapshot_id or ""
        lost = next(name for name in "abc" if list(pool.device(name).rglob("*.seg")))
        shutil.rmtree(pool.device(lost))
        pool.device(lost).mkdir()
        mark_lost(made.catalog, device_named(made.catalog, lost))
        for number in (number for number in range(40) if number % 4):
            (pool.source / f"{number:02}").write_bytes(noise(6000, seed=number + 100))
        made.back_up({"data": pool.source}, copies=2)
        pool.forget(first)

        assert made.prune(limits=RepackLimits(max_unused_percent=0)).objects_written > 0

        again = made.back_up({"data": pool.source}, copies=2, has_troubles=True)
        assert (again.exit_code, again.copies_missing) == (0, 0), made.troubles
