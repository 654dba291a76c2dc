"""What a resumed backup says that it has read and stored: only what it did itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import Tree, noise
from producer.catalog.tables.segments.totals import DoneBytes
from producer.pool.losses.lost import mark_lost
from producer.summaries import BackupSummary
from tasks.orders import Order, PutManifest, StoreSegment

FILES = {f"{number}": noise(60_000, number) for number in range(6)}
ALL_BYTES = 6 * 60_000


class Killed(Exception):
    """The manager dies."""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[InProcess]:
    Tree(FILES).make(tmp_path / "data")
    with in_process(tmp_path) as made:
        made.is_one_by_one = True
        yield made


def back_up(run: InProcess) -> BackupSummary:
    return run.back_up({"data": run.folder / "data"}, has_troubles=True, bundle=False)


def interrupt(run: InProcess, *, after: int) -> DoneBytes:
    """A backup ends before its next segment; returns what it has stored."""
    left = after

    def before(order: Order) -> None:
        nonlocal left
        left -= isinstance(order, StoreSegment)
        if left < 0:
            raise Killed

    run.before = before
    with pytest.raises(Killed):
        back_up(run)
    run.before = lambda order: None
    (snapshot,) = run.catalog.snapshots.all("open")
    rows = run.catalog.totals.done(snapshot.snapshot_id).values()
    return DoneBytes(sum(row.source for row in rows), sum(row.stored for row in rows))


def sums(done: BackupSummary) -> DoneBytes:
    """Of all devices: what they hold of the snapshot."""
    rows = done.devices.values()
    return DoneBytes(sum(row.bytes_source for row in rows), sum(row.bytes_stored for row in rows))


def test_it_leaves_out_what_the_interrupted_runs_have_stored(run: InProcess) -> None:
    first = interrupt(run, after=4)
    both = interrupt(run, after=1)
    assert 0 < first.source < both.source < ALL_BYTES
    done = back_up(run)
    assert (done.bytes_source, done.segments, sums(done).source) == (ALL_BYTES, 6, ALL_BYTES)
    assert done.bytes_read == ALL_BYTES - both.source
    assert done.bytes_stored == sums(done).stored - both.stored


def test_what_it_stores_again_is_its_own(run: InProcess) -> None:
    before = interrupt(run, after=4)
    (snapshot,) = run.catalog.snapshots.all("open")
    tries = run.catalog.totals.done(snapshot.snapshot_id)
    on_a = sum(row.source for (_, device, _), row in tries.items() if device == "a")
    assert 0 < on_a < before.source
    mark_lost(run.catalog, next(row for row in run.catalog.devices.all() if row.name == "a"))
    shutil.rmtree(run.device("a"))
    run.device("a").mkdir()
    done = back_up(run)
    assert sums(done).source == ALL_BYTES
    assert done.bytes_read == ALL_BYTES - before.source + on_a


def test_a_file_that_changed_since_counts_as_read_by_the_run_that_stored_it(run: InProcess) -> None:
    before = interrupt(run, after=4)
    for name in FILES:
        (run.folder / "data" / name).write_bytes(noise(50_000))
    done = back_up(run)
    assert before.source > 0
    assert (done.bytes_read, done.bytes_source) == (6 * 50_000, 6 * 50_000)
    assert done.bytes_stored == sums(done).stored


def test_a_backup_that_was_stored_whole_before_its_seal_reads_nothing(run: InProcess) -> None:
    run.before = refuse_manifests
    with pytest.raises(Killed):
        back_up(run)
    run.before = lambda order: None
    done = back_up(run)
    assert (done.bytes_read, done.bytes_stored, sums(done).source) == (0, 0, ALL_BYTES)


def refuse_manifests(order: Order) -> None:
    if isinstance(order, PutManifest):
        raise Killed
