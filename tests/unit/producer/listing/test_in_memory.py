"""The batches in which something differs: any range of them is found, and too many are not kept."""

from __future__ import annotations

from itertools import combinations

from producer.listing import EntryBatch
from producer.listing.in_memory import DifferingBatches
from producer.listing.reader import CACHED_ENTRIES_COUNT


def files(first_entry: int, count: int) -> EntryBatch:
    zeros = [0] * count
    return EntryBatch(
        source="src",
        directory="dir",
        first_entry=first_entry,
        names=[f"{first_entry + place}" for place in range(count)],
        kinds="f" * count,
        modes=zeros,
        uids=zeros,
        gids=zeros,
        mtimes_ns=zeros,
        ctimes_ns=zeros,
        sizes_bytes=zeros,
    )


def test_any_range_gives_the_batches_that_reach_into_it() -> None:
    kept, batches = DifferingBatches(), [files(2, 3), files(5, 1), files(9, 2)]
    for batch in batches:
        kept.add(batch)
    for first, stop in combinations(range(13), 2):
        assert list(kept.batches(first, stop)) == [
            batch for batch in batches if batch.first_entry < stop and batch.stop_entry > first
        ]
    assert kept.fits


def test_too_many_are_all_forgotten() -> None:
    kept = DifferingBatches()
    for first_entry in range(0, CACHED_ENTRIES_COUNT + 1, 4096):
        kept.add(files(first_entry, 4096))
    assert not kept.fits
    kept.add(files(2**20, 1))
    assert not kept.fits
    assert not list(kept.batches(0, 2**21))
