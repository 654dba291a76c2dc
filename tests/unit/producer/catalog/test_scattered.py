"""Which files are too scattered."""

from __future__ import annotations

from kit.models.sealed import sealed_tree
from producer.catalog.scattered import ScatteredFile, scattered_files
from producer.listing.entry import EntryBatch
from producer.listing.places.places import Place, PlacesWriter

MIB = 1024 * 1024


def tree_of(**files: tuple[int, int]) -> list[EntryBatch]:
    """Name → number of places, and the size of each; all in one folder."""
    writer = PlacesWriter(len(files))
    for at, (name, (count, size)) in enumerate(files.items()):
        # Every other place lies in another segment, so none continues the one before.
        places = [Place("ab"[number % 2] * 32, number * size, number * size, size) for number in range(count)]
        writer.add(at, name, count * size, places)
    zeros = [0] * len(files)
    return [
        EntryBatch(
            source="src",
            directory="",
            names=list(files),
            kinds="f" * len(files),
            modes=zeros,
            uids=zeros,
            gids=zeros,
            mtimes_ns=zeros,
            ctimes_ns=zeros,
            sizes_bytes=[count * size for count, size in files.values()],
            places=writer.places(),
        )
    ]


def test_files_in_many_small_places_are_named_the_worst_first() -> None:
    batches = tree_of(large=(100, 64 * MIB), few=(64, MIB), image=(65, 4 * MIB), log=(200, MIB), plain=(1, MIB))
    assert scattered_files(sealed_tree(batches)) == [
        ScatteredFile(path="src/log", places_count=200, size_bytes=200 * MIB),
        ScatteredFile(path="src/image", places_count=65, size_bytes=260 * MIB),
    ]


def test_a_tree_without_such_files_has_none() -> None:
    assert scattered_files(sealed_tree(tree_of(few=(3, MIB)))) == []
