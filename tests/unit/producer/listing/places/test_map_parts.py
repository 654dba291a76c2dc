"""The places of files that lie in many: in map parts, which snapshots share."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from kit.models.in_process import in_process
from kit.tree import Tree, noise
from producer.listing.entry import EntryBatch
from producer.listing.frames import compress_lines, decompress_lines
from producer.listing.places.map_parts import MAX_INLINE_COUNT, pieces_of
from producer.listing.places.places import Place, PlacesWriter
from producer.listing.tree.decoding import decode_tree_part, needs_of
from producer.listing.tree.tree_part import TreePart
from producer.listing.tree.tree_writer import TreeWriter
from producer.manifest import decode_pack
from tasks.digests import CELL_BYTES
from tasks.errors import DamagedError

RANGE_BYTES = 4096 * CELL_BYTES


def image(places: list[Place]) -> EntryBatch:
    """A file in these places, and a small one beside it."""
    size_bytes = sum(place.size_bytes for place in places)
    writer = PlacesWriter(2)
    writer.add(0, "image", size_bytes, places)
    writer.add_whole(1, "f" * 32, 0)
    return EntryBatch(
        directory="",
        names=["image", "small"],
        kinds="ff",
        modes=[0o644] * 2,
        uids=[0] * 2,
        gids=[0] * 2,
        mtimes_ns=[0] * 2,
        ctimes_ns=[0] * 2,
        sizes_bytes=[size_bytes, 1],
        inodes=[1, 2],
        places=writer.places(),
    )


def scattered(count: int, size_bytes: int) -> list[Place]:
    """One place after the other, each in a segment of its own."""
    return [Place(f"{number:032x}", 7, number * size_bytes, size_bytes) for number in range(count)]


def part_of(batch: EntryBatch) -> TreePart:
    writer = TreeWriter()
    (part,) = [*writer.add(batch), *writer.flush()]
    return part


def decoded(part: TreePart) -> EntryBatch:
    maps = {one.digest: one.data for one in part.maps}
    (batch,) = decode_tree_part(part.data, "src", 0, maps.__getitem__)
    return batch


@pytest.mark.parametrize(
    ("places", "maps_count"),
    [
        (scattered(MAX_INLINE_COUNT, 10), 0),
        (scattered(MAX_INLINE_COUNT + 1, 10), 1),
        (scattered(128, RANGE_BYTES // 64), 2),
        (scattered(20_000, 10), 3),
    ],
)
def test_a_file_of_more_places_than_fit_into_its_entry_has_a_map_for_each_range(
    places: list[Place], maps_count: int
) -> None:
    part = part_of(image(places))
    assert len(part.maps) == maps_count
    batch = decoded(part)
    assert list(batch.places_of(0)) == places
    assert list(batch.places_of(1)) == [Place("f" * 32, 0, 0, 1)]
    # Taken over as it is, it gives the same parts.
    assert part_of(batch) == part


def test_a_change_changes_the_map_of_its_range_alone() -> None:
    places = scattered(400, RANGE_BYTES // 100)
    before = part_of(image(places))
    after = part_of(image([*places[:150], places[150]._replace(segment_id="e" * 32), *places[151:]]))
    assert len(before.maps) == len(after.maps) == 4
    assert [one == other for one, other in zip(before.maps, after.maps, strict=True)] == [True, False, True, True]


def test_a_place_that_reaches_over_the_end_of_a_range_is_cut_there() -> None:
    places = [*scattered(70, 10), Place("e" * 32, 5, 700, 2 * RANGE_BYTES)]
    found = list(decoded(part_of(image(places))).places_of(0))
    assert [place.offset_bytes for place in found[70:]] == [700, RANGE_BYTES, 2 * RANGE_BYTES]
    assert [place.stream_offset_bytes for place in found[70:]] == [5, 5 + RANGE_BYTES - 700, 5 + 2 * RANGE_BYTES - 700]
    assert sum(place.size_bytes for place in found) == 700 + 2 * RANGE_BYTES


def test_a_part_names_its_maps_and_these_their_segments() -> None:
    part = part_of(image(scattered(70, 10)))
    assert needs_of(part.data) == (["f" * 32], [part.maps[0].digest], None)
    assert needs_of(part.maps[0].data).segment_ids == [f"{number:032x}" for number in range(70)]


def test_what_is_no_sound_map_is_refused() -> None:
    part = part_of(image(scattered(70, 10)))
    first, line = decompress_lines(part.maps[0].data)
    for lines in ([first], [first, line, line], [b'{"segment_ids":[]}', line], [line, first]):
        with pytest.raises(DamagedError):
            pieces_of(compress_lines(lines), {})
    with pytest.raises(DamagedError, match="needs map part"):
        decode_tree_part(part.data, "src", 0)
    with pytest.raises(DamagedError, match="belong to no entry"):
        part_with_foreign_name = compress_lines(
            [line.replace(b'"image":["', b'"other":["') for line in decompress_lines(part.data)]
        )
        decode_tree_part(part_with_foreign_name, "src", 0, lambda digest: part.maps[0].data)


def test_a_file_in_many_places_is_taken_over_compared_and_restored(tmp_path: Path) -> None:
    root = Tree({"image": noise(5_000_000), "small": b"1"}).make(tmp_path / "src")
    with in_process(tmp_path) as run:
        run.back_up({"src": root})
        first = run.tree()
        assert len(first.digests) > len(first.parts)
        (root / "image").touch()
        with (root / "small").open("wb") as file:
            file.write(b"2")
        assert run.back_up({"src": root}).bytes_stored < 2_000
        newest = run.catalog.snapshots.find("latest").snapshot_id
        assert run.catalog.trees.digests(newest) == set(run.tree().digests)
        assert set(run.tree().digests) - set(first.digests) == {part.digest for part in run.tree().parts}
        run.restore()
        assert (run.target / "src" / "image").read_bytes() == (root / "image").read_bytes()
        assert (run.target / "src" / "small").read_bytes() == b"2"


def test_equal_places_are_equal_maps_whatever_stands_beside_them() -> None:
    places = scattered(70, 10)
    one, other = image(places), replace(image(places), mtimes_ns=[5, 5])
    assert part_of(one).maps == part_of(other).maps
    assert part_of(one).digest != part_of(other).digest


def test_a_prune_leaves_the_maps_that_later_snapshots_share(tmp_path: Path) -> None:
    root = Tree({"image": noise(5_000_000), "small": b"1"}).make(tmp_path / "src")
    with in_process(tmp_path) as run:
        first = run.back_up({"src": root}).snapshot_id
        assert first is not None
        (root / "small").write_bytes(b"2")
        run.back_up({"src": root})
        run.catalog.marks.forget([first])
        run.prune()
        for name in "ab":
            packs = list((tmp_path / "devices" / name / "manifests").glob("*.part"))
            there = {digest for file in packs for digest in _packed(file.read_bytes())}
            assert {digest.hex() for digest in run.tree().digests} <= there
        run.restore()
        assert (run.target / "src" / "image").read_bytes() == (root / "image").read_bytes()


def _packed(data: bytes) -> list[str]:
    try:
        return list(decode_pack(data))
    except DamagedError:
        # A part of another kind.
        return []
