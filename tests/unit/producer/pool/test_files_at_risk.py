"""What would be lost with a device: each file that cannot be read without it, whole files and cut ones."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from kit.models.in_process import InProcess, in_process
from kit.models.sealed import sealed_tree
from kit.tree import Tree, noise
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Places
from producer.pool.losses.at_risk import Risks, at_risk_of, files_at_risk
from producer.pool.losses.keepers import Keepers

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

    found = files_at_risk(sealed_tree([batch]), {ONE: {"a": None}, TWO: {"b": None, "c": None}})

    assert found == {"a": (2, 40), "b": (2, 25), "c": (2, 25)}
    assert files_at_risk(sealed_tree([batch]), {}) == {}


def test_parts_of_whole_files_count_as_those_with_cut_ones() -> None:
    def folder(directory: str, first_entry: int, **pieces: list[tuple[int, int, int, int]]) -> EntryBatch:
        """Seventy files of ten bytes, in three segments by turns; a part ends between two such folders."""
        names = [f"{number:03}" for number in range(70)]
        segments = [-1 if name in pieces else number % 3 for number, name in enumerate(names)]
        return EntryBatch(
            source="src",
            directory=directory,
            first_entry=first_entry,
            names=names,
            kinds="f" * 70,
            sizes_bytes=[10] * 70,
            mtimes_ns=[0] * 70,
            ctimes_ns=[0] * 70,
            modes=[0o644] * 70,
            uids=[0] * 70,
            gids=[0] * 70,
            places=Places(
                segment_ids=[ONE, TWO, BOTH], segments=segments, stream_offsets_bytes=[0] * 70, pieces=pieces
            ),
        )

    whole = sealed_tree([folder("a", 0)])
    cut = sealed_tree([folder("a", 0, **{"001": [(0, 5, 1, 0), (5, 5, 1, 9)]})])
    keepers: Keepers = {ONE: {"a": None}, TWO: {"b": None, "c": None}}

    assert {found for _, found in whole.whole_files() if found is None} == set()
    assert {found for _, found in cut.whole_files() if found is None} == {None}
    expected = {"a": (24, 240), "b": (23, 230), "c": (23, 230)}
    assert files_at_risk(whole, keepers) == files_at_risk(cut, keepers) == expected


def test_objects_with_different_ranges_of_a_segment_are_no_copies_of_each_other(tmp_path: Path) -> None:
    source = Tree({"file": noise(3_000), "other": noise(3_000, seed=2)}).make(tmp_path / "data")
    with in_process(tmp_path) as made:
        made.back_up({"data": source}, bundle=False)
        objects = made.catalog.objects
        a, b = (row.device_id for row in sorted(made.catalog.devices.all(), key=lambda row: row.name))
        [whole], [_other] = (list(objects.on_device(key)) for key in (a, b))
        objects.remove(*whole.key)
        objects.add(replace(whole, object_id="1" * 32, size_bytes=2_000, parts=((0, 2_000),)))
        objects.add(replace(whole, object_id="2" * 32, size_bytes=1_000, parts=((2_000, 1_000),), device_id=b))
        assert at_risk(made) == {a: (1, 2_000), b: (2, 4_000)}

        objects.add(replace(whole, object_id="3" * 32, device_id=b))
        assert at_risk(made) == {b: (2, 4_000)}


def at_risk(made: InProcess) -> dict[str, tuple[int, int]]:
    """Device → how many files, and bytes of them, would be lost with it."""
    found = at_risk_of(made.catalog, made.catalog.snapshots.find("latest").snapshot_id)
    assert Risks(made.catalog).by_device() == found
    return {key: (one.files_count, one.size_bytes) for key, one in found.items()}
