"""A rebuilt catalog knows what older segments hold of files and raw volumes: it compares and heals as before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.compare import differences
from kit.models.in_process import InProcess, in_process
from kit.tree import Tree, noise
from producer.catalog.catalog import Catalog
from producer.summaries import BackupSummary
from tasks.digests import CELL_BYTES

MIB = 1024**2
LARGE = noise(2 * CELL_BYTES + 12_345)


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[InProcess]:
    """Two devices with a snapshot of ``src``; the catalog is a new one, made of them."""
    src = Tree({"small": noise(5_000, seed=1), "sub/large": LARGE, "sub/other": b"other"}).make(tmp_path / "src")
    for path in src.rglob("*"):
        os.utime(path, (10**9, 10**9))
    with in_process(tmp_path) as made:
        back_up(made)
    with Catalog(tmp_path / "again" / "catalog.sqlite") as catalog:
        rebuilt = InProcess(tmp_path, catalog)
        rebuilt.ignore_ctime = True
        assert rebuilt.rebuild().errors == 0
        yield rebuilt


def back_up(run: InProcess) -> BackupSummary:
    return run.back_up({"src": run.folder / "src"}, segment_bytes=8 * MIB, unit_bytes=MIB)


def test_of_touched_files_nothing_is_stored(lost: InProcess) -> None:
    for path in (lost.folder / "src").rglob("*"):
        os.utime(path)

    done = back_up(lost)

    assert done.bytes_stored == done.files_unchanged == 0
    assert done.bytes_read > len(LARGE)


def test_of_a_large_file_only_the_cell_that_changed_is_stored(lost: InProcess) -> None:
    with (lost.folder / "src/sub/large").open("r+b") as file:
        file.seek(CELL_BYTES + 5)
        file.write(b"changed")

    assert 0 < back_up(lost).bytes_stored < CELL_BYTES + 10_000


def test_what_is_lost_is_healed_for_the_old_snapshot_too(lost: InProcess) -> None:
    for stored in lost.folder.glob("devices/*/segments/*/*.seg"):
        stored.unlink()
    first = lost.catalog.snapshots.find("latest").snapshot_id

    assert back_up(lost).files_healed == 3

    assert lost.restore(snapshot=first).exit_code == 0
    assert differences(lost.folder / "src", lost.target / "src") == []


def test_of_a_raw_volume_only_the_cell_that_changed_is_stored(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(noise(5 * CELL_BYTES + 12_345))
    with in_process(tmp_path) as made:
        back_up_raw(made, disk)
    with disk.open("r+b") as file:
        file.seek(2 * CELL_BYTES + 5)
        file.write(b"changed")
    with Catalog(tmp_path / "again" / "catalog.sqlite") as catalog:
        rebuilt = InProcess(tmp_path, catalog)
        assert rebuilt.rebuild().errors == 0

        done = back_up_raw(rebuilt, disk)

        assert 0 < done.bytes_stored < CELL_BYTES + 10_000
        assert rebuilt.restore().exit_code == 0
        assert (rebuilt.target / "disk").read_bytes() == disk.read_bytes()


def back_up_raw(run: InProcess, disk: Path) -> BackupSummary:
    run.mode = "raw"
    return run.back_up({"disk": disk}, segment_bytes=2 * CELL_BYTES, unit_bytes=CELL_BYTES)
