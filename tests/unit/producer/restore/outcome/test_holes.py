"""What becomes of large files of which ranges are lost."""

from __future__ import annotations

from msgspec.structs import replace

from producer.restore.outcome.holes import NOTE_SUFFIX, Hole, Holes
from tasks.orders import TargetEntry
from tasks.values import MAX_EXTENTS

MIB = 1024**2
BIG = TargetEntry(kind="file", path="d/big", mode=0o640, uid=1, gid=2, mtime_ns=3, size_bytes=10 * MIB, finish=True)
OTHER = replace(BIG, path="d/other")


def finished(*lost: tuple[int, int], keep: bool = True) -> list[TargetEntry]:
    """BIG has lost these ranges (offset, size), OTHER none."""
    holes = Holes(keep=keep)
    for offset_bytes, size_bytes in lost:
        holes.add(BIG.path, Hole(offset_bytes=offset_bytes, size_bytes=size_bytes, why="damaged"))
    return list(holes.finish([BIG, OTHER]))


def test_a_file_that_lacks_nothing_is_finished() -> None:
    assert finished() == [BIG, OTHER]


def test_a_file_that_is_kept_has_its_lost_ranges_made_zeros_and_a_note_that_says_so() -> None:
    big, note, other = finished((6 * MIB, MIB), (0, MIB), (MIB, MIB))
    assert big == replace(BIG, hole_offsets_bytes=(0, 6 * MIB), hole_sizes_bytes=(2 * MIB, MIB))
    assert (note.kind, note.path, note.hole_offsets_bytes) == ("note", BIG.path + NOTE_SUFFIX, ())
    assert note.text.count("bytes 0 to") == note.text.count(f"bytes {6 * MIB} to {7 * MIB}: damaged") == 1
    assert other == OTHER


def test_what_is_lost_beyond_the_end_of_a_file_is_no_hole_in_it() -> None:
    big = finished((9 * MIB, 2 * MIB), (20 * MIB, MIB))[0]
    assert (big.hole_offsets_bytes, big.hole_sizes_bytes) == ((9 * MIB,), (MIB,))


def test_a_file_of_which_nothing_is_left_or_that_is_not_wanted_with_holes_goes() -> None:
    gone = replace(BIG, kind="absent", finish=False)
    assert finished((0, MIB), keep=False) == [gone, OTHER]
    assert finished((0, 6 * MIB), (5 * MIB, 5 * MIB)) == [gone, OTHER]


def test_a_file_with_more_holes_than_an_order_can_name_goes() -> None:
    assert finished(*((2 * number, 1) for number in range(MAX_EXTENTS)))[0].kind == "file"
    assert finished(*((2 * number, 1) for number in range(MAX_EXTENTS + 1)))[0].kind == "absent"
