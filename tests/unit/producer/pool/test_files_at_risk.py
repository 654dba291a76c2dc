"""What would be lost with a device: each file that cannot be read without it, whole files and cut ones."""

from __future__ import annotations

from kit.models.sealed import sealed_tree
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Places
from producer.pool.losses.at_risk import files_at_risk

ONE, TWO, BOTH = (f"{number:032x}" for number in range(3))


def test_a_file_counts_on_each_device_without_which_some_of_it_is_lost() -> None:
    places = Places(
        segment_ids=[ONE, TWO, BOTH],
        segments=[0, 2, -1, 1],
        stream_offsets_bytes=[0, 0, 0, 0],
        pieces={"cut": [(0, 30, 0, 10), (30, 20, 1, 5), (50, 50, 2, 10)]},
    )
    batch = EntryBatch(
        source="src",
        directory="",
        names=["whole", "safe", "cut", "sparse"],
        kinds="ffff",
        sizes_bytes=[10, 10, 100, 1000],
        mtimes_ns=[0] * 4,
        ctimes_ns=[0] * 4,
        modes=[0o644] * 4,
        uids=[0] * 4,
        gids=[0] * 4,
        data_ranges={"sparse": [(0, 5)]},
        places=places,
    )

    found = files_at_risk(sealed_tree([batch]), {ONE: {"a"}, TWO: {"b", "c"}})

    assert found == {"a": (2, 40), "b": (2, 25), "c": (2, 25)}
    assert files_at_risk(sealed_tree([batch]), {}) == {}
