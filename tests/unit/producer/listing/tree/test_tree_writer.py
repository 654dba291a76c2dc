"""Equal entries make equal parts, wherever they are; and what is no sound part is refused."""

from __future__ import annotations

from typing import Any

import pytest
from blake3 import blake3
from msgspec.structs import replace

from producer.listing.entry import EntryBatch
from producer.listing.frames import compress_lines, decompress_lines
from producer.listing.places.places import Place, PlacesWriter
from producer.listing.tree.decoding import decode_tree_part, needs_of
from producer.listing.tree.tree_part import TreePart
from producer.listing.tree.tree_writer import TreeWriter
from tasks.errors import DamagedError

A, B = "a" * 32, "b" * 32


def folder(names: list[str], *, directory: str = "dir", first_entry: int = 0, source: str = "src") -> EntryBatch:
    """Files of one byte each, one after the other in segment A."""
    count, writer = len(names), PlacesWriter(len(names))
    for place in range(count):
        writer.add_whole(place, A, first_entry + place)
    return EntryBatch(
        source=source,
        directory=directory,
        first_entry=first_entry,
        names=names,
        kinds="f" * count,
        modes=[0o644] * count,
        uids=[0] * count,
        gids=[0] * count,
        mtimes_ns=[0] * count,
        ctimes_ns=[0] * count,
        sizes_bytes=[1] * count,
        inodes=list(range(count)),
        places=writer.places(),
    )


def parts_of(*batches: EntryBatch) -> list[TreePart]:
    writer = TreeWriter()
    return [part for batch in batches for part in writer.add(batch)] + list(writer.flush())


def numbered(count: int) -> list[str]:
    return [f"file-{number:07d}" for number in range(count)]


def test_a_part_says_nothing_of_the_snapshot_that_it_is_in() -> None:
    (one,) = parts_of(folder(["a", "b"]))
    (other,) = parts_of(replace(folder(["a", "b"]), source="other", first_entry=700))
    assert one == other
    assert one.digest == blake3(b"\n".join([*decompress_lines(one.data), b""])).digest()
    (batch,) = decode_tree_part(one.data, "third", 42)
    assert (batch.source, batch.first_entry, batch.names) == ("third", 42, ["a", "b"])
    assert list(batch.places.of(1, "b", 1)) == [Place(A, 1, 0, 1)]


def test_one_change_in_a_large_folder_changes_one_part() -> None:
    before = folder(numbered(20_000))
    after = replace(before, mtimes_ns=[*before.mtimes_ns[:9999], 5, *before.mtimes_ns[10_000:]])
    ours, theirs = parts_of(before), parts_of(after)
    assert len(ours) == len(theirs) > 30
    assert sum(one != other for one, other in zip(ours, theirs, strict=True)) == 1


def test_a_new_name_changes_the_part_around_it_and_no_other() -> None:
    names = numbered(20_000)
    files = folder(names)
    more = folder([*names[:9999], "file-0009998-and-more", *names[9999:]])
    # Each file keeps its place, as unchanged files do.
    writer, own = PlacesWriter(len(more)), {name: number for number, name in enumerate(names)}
    for place, name in enumerate(more.names):
        writer.add_whole(place, A if name in own else B, own.get(name, 0))
    inodes = [own.get(name, 99_999) for name in more.names]
    new = {part.digest for part in parts_of(replace(more, places=writer.places(), inodes=inodes))}
    assert len(new - {part.digest for part in parts_of(files)}) <= 2


def test_where_the_walk_ended_its_batches_does_not_show() -> None:
    names = numbered(3000)
    whole = parts_of(folder(names))
    halves = parts_of(folder(names[:1100]), folder(names[1100:], first_entry=1100))
    assert [part.entries_count for part in whole] == [part.entries_count for part in halves]
    listed = [[batch.names for batch in decode_tree_part(part.data, "s", 0)] for part in halves]
    assert listed == [[batch.names for batch in decode_tree_part(part.data, "s", 0)] for part in whole]


def test_no_part_reaches_from_one_source_into_the_next() -> None:
    root = replace(folder([""], directory=""), kinds="d", sizes_bytes=[-1])
    parts = parts_of(folder(["a"]), root, folder(["b"], first_entry=1))
    assert [part.entries_count for part in parts] == [1, 2]


def test_a_part_of_heavy_entries_stays_small() -> None:
    names = numbered(300)
    attributes = {name: place for place, name in enumerate(names)}
    sets = [{"user.a": f"{place:04d}" * 5000} for place in range(300)]
    parts = parts_of(replace(folder(names), attributes=attributes, attribute_sets=sets))
    assert all(sum(map(len, decompress_lines(part.data))) < 3 * 1024 * 1024 for part in parts)
    found = [batch for part in parts for batch in decode_tree_part(part.data, "src", 0)]
    assert {name: batch.attributes_of(name) for batch in found for name in batch.names} == dict(
        zip(names, sets, strict=True)
    )


def test_a_part_begins_with_the_segments_that_it_needs() -> None:
    writer = PlacesWriter(2)
    writer.add(0, "a", 9, [Place(B, 0, 0, 4), Place(A, 7, 4, 5)])
    writer.add_whole(1, A, 3)
    batch = replace(folder(["a", "b"]), sizes_bytes=[9, 1], places=writer.places())
    (part,) = parts_of(batch)
    assert sorted(needs_of(part.data).segment_ids) == [A, B]
    (read,) = decode_tree_part(part.data, "src", 0)
    assert list(read.places.of(0, "a", 9)) == [Place(B, 0, 0, 4), Place(A, 7, 4, 5)]


def test_a_part_begins_with_how_many_whole_files_lie_in_which_segment() -> None:
    writer = PlacesWriter(4)
    for place, segment_id in ((0, A), (1, B), (3, A)):
        writer.add_whole(place, segment_id, 0)
    batch = replace(
        folder(["a", "b", "c", "d"]),
        kinds="ffdf",
        sizes_bytes=[9, 1, -1, 5],
        data_ranges={"d": [(0, 2), (3, 1)]},
        places=writer.places(),
    )
    (part,) = parts_of(batch)
    assert needs_of(part.data).whole_files == {A: (2, 9 + 3), B: (1, 1)}


def test_a_part_with_a_file_in_several_places_or_of_another_program_does_not_say_it() -> None:
    writer = PlacesWriter(2)
    writer.add(0, "a", 9, [Place(B, 0, 0, 4), Place(A, 7, 4, 5)])
    writer.add_whole(1, A, 3)
    (part,) = parts_of(replace(folder(["a", "b"]), sizes_bytes=[9, 1], places=writer.places()))
    assert needs_of(part.data).whole_files is None
    for head in (b'{"segment_ids":["%s"]}', b'{"segment_ids":["%s"],"files_counts":[2],"files_bytes":[]}'):
        assert needs_of(compress_lines([head % A.encode()])).whole_files is None
    with pytest.raises(DamagedError):
        needs_of(compress_lines([b'{"segment_ids":["%s"],"files_counts":[-2],"files_bytes":[1]}' % A.encode()]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param((b'"segment_ids":["' + A.encode() + b'"]', b'"segment_ids":[]'), "names no segment", id="segment"),
        pytest.param((b'"segments":[0,0]', b'"segments":[0]'), "differ in length", id="columns"),
        pytest.param((b'"inodes":[0,1]', b'"inodes":[0]'), "differ in length", id="inodes"),
        pytest.param((b'"a"', b'"../a"'), "leaves its directory", id="name"),
        pytest.param((b'"segments":[0,0]', b'"segments":[0,-2]'), "does not decode", id="negative"),
        pytest.param((b'"stream', b'"pieces":{"c":[]},"stream'), "belong to no entry", id="pieces of nothing"),
    ],
)
def test_what_is_no_sound_part_is_refused(change: tuple[bytes, bytes], message: str) -> None:
    (part,) = parts_of(folder(["a", "b"]))
    lines = [line.replace(*change) for line in decompress_lines(part.data)]
    assert lines != decompress_lines(part.data)
    with pytest.raises(DamagedError, match=message):
        decode_tree_part(compress_lines(lines), "src", 0)


def test_a_part_whose_first_line_lacks_a_segment_is_refused_for_a_prune_looks_at_no_other() -> None:
    (part,) = parts_of(folder(["a", "b"]))
    first, *lines = decompress_lines(part.data)
    with pytest.raises(DamagedError, match="lacks a segment"):
        decode_tree_part(compress_lines([first.replace(A.encode(), B.encode()), *lines]), "src", 0)


def test_a_part_of_nothing_at_all_is_refused() -> None:
    lines: list[Any] = [b"[]"]
    with pytest.raises(DamagedError):
        decode_tree_part(compress_lines(lines), "src", 0)
