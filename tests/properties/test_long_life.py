"""Sixty days of a real tree: a backup a day, retention, prunes, a lost disk, damage, kills.

Every fifth day each kept snapshot restores to exactly the tree of its day.  Here some packages of Python's library live
so; ``make long-life`` takes the whole of it, or SEGFLEET_LIFE_TREE, with more changes.
"""

from __future__ import annotations

import os
import random
import shutil
import sysconfig
from datetime import UTC
from pathlib import Path

import pytest

from kit.models.in_process import in_process
from kit.models.long_life import Calendar, LongLife, Scale
from producer.requests import Retention

DAYS_COUNT = 60
LOST_ON_DAY = 20
DAMAGED_ON_DAY = 50
#: A prime: kills meet all that happens on other days.
KILLED_EVERY_DAYS = 7
PACKAGES = ("http", "json", "logging", "wsgiref")
SMALL = Scale(
    changes_count=6,
    segment_bytes=256 * 1024,
    unit_bytes=64 * 1024,
    large_bytes=500_000,
    retention=Retention(counts={"daily": 3, "weekly": 3, "monthly": 2}),
)
WHOLE = Scale(
    changes_count=60,
    segment_bytes=8 * 1024**2,
    unit_bytes=1024**2,
    large_bytes=20_000_000,
    retention=Retention(counts={"last": 2, "daily": 7, "weekly": 4, "monthly": 6}),
)

IS_WHOLE = "SEGFLEET_LIFE" in os.environ
SEED = int(os.environ.get("SEGFLEET_LIFE_SEED") or random.randrange(2**32))


def make_tree(target: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    left_out = shutil.ignore_patterns("__pycache__", "site-packages", "test")
    if IS_WHOLE:
        tree = Path(os.environ.get("SEGFLEET_LIFE_TREE") or library)
        shutil.copytree(tree, target, symlinks=True, ignore=left_out)
    else:
        for name in PACKAGES:
            shutil.copytree(library / name, target / name, ignore=left_out)


@pytest.mark.timeout(4 * 3600 if IS_WHOLE else 1800)
@pytest.mark.parametrize("copies", [2, 1] if IS_WHOLE else [2])
def test_each_kept_snapshot_restores_to_its_day(copies: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"SEED={SEED}")
    monkeypatch.setattr("producer.backup.intake.take_in.datetime", Calendar)
    make_tree(tmp_path / "source")
    with in_process(tmp_path, "abc") as run:
        life = LongLife(run, tmp_path / "source", seed=SEED, copies=copies, scale=WHOLE if IS_WHOLE else SMALL)
        for day in range(1, DAYS_COUNT + 1):
            print(f"day {day}")
            live_through(life, day)


def live_through(life: LongLife, day: int) -> None:
    Calendar.days_ahead = day
    life.change()
    if day == LOST_ON_DAY:
        life.replace("b")
    life.back_up(killed=day % KILLED_EVERY_DAYS == 0)
    life.forget(Calendar.now(UTC))
    life.prune(killed=day % KILLED_EVERY_DAYS == 1)
    if day == DAMAGED_ON_DAY:
        life.damage()
    if day % 5 == 0:
        life.kept.restore_all(life.kept.trees.keys())
