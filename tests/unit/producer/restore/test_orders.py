"""What a restore orders: from a listing and stored segments to files in the target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.models.offline import Offline, backup_request, offline
from kit.models.rows import segments_by_id
from kit.tree import Entries, HardLink, Symlink, Tree, noise
from producer.backup.intake.intake import Intake
from producer.backup.sealing.record_tree import record_tree
from producer.listing.entry import Entry as ListedEntry
from producer.listing.reader import ListingReader
from producer.restore.planning.picks import Pick
from producer.restore.planning.plan import RestorePlan
from producer.restore.planning.selection import Selection
from tasks.errors import UsageError
from tasks.orders import TargetEntry

KIB = 1024

#: Small files beside so large a one that they share a segment.
BUNDLED: Entries = {"large": noise(200 * KIB), **{f"{n}": b"12345" for n in range(9)}}


class Stored:
    """A snapshot of literal trees, whose segments are all stored; and what a restore of it would order."""

    def __init__(self, run: Offline, intake: Intake) -> None:
        self.catalog = run.catalog
        self.snapshot = run.catalog.snapshots.get(intake.snapshot_id)
        self.sizes = intake.sizes
        self._intake = intake
        self._run = run

    def entry(self, path: str) -> int:
        """Index of the entry with this path in the snapshot."""
        reader = self.catalog.listing.reader(self.snapshot.snapshot_id)
        return next(index for index in range(len(self.sizes)) if reader.entry(index).snapshot_path == path)

    def note(self, path: str, trouble: str, read_bytes: int, *, piece: int = 0, **fields: Any) -> None:
        """Have the receipt of the file's segment say this about it, and ``fields``; before :meth:`store`."""
        entry = self.entry(path)
        rows = [row for row in self.catalog.segments.valid(self.snapshot.snapshot_id) if _holds(row, entry)]
        row = rows[piece]
        index = sum(0 < size <= self._limit(row) for size in self.sizes[row.first_entry : entry])
        note = {"index": index, "trouble": trouble, "read_bytes": read_bytes, "message": ""}
        member = self._intake.members[row.device]
        self.catalog.transitions.record_stored(
            self.snapshot.snapshot_id,
            row.number,
            device=row.device,
            device_id=member.device_id,
            epoch=0,
            bytes_stored=1,
            notes=[note],
            object_id=row.segment_id,
            trailer_digest=b"t" * 32,
            **fields,
        )

    def pieces(self, path: str) -> list[tuple[int, int]]:
        """Offset and size of the planned segments of a large file, in order of the offset."""
        rows = self.catalog.segments.valid(self.snapshot.snapshot_id)
        return sorted((row.offset_bytes, row.size_bytes) for row in rows if _holds(row, self.entry(path)))

    def _limit(self, row: Any) -> int:
        return self.snapshot.bundle_limit_bytes if row.stop_entry - row.first_entry > 1 else 0

    def store(self, **fields: Any) -> None:
        """Have all receipts that have not come say this."""
        self._run.store(self._intake, **fields)

    def restore(self, path: str = "", *, may_lack_parts: bool = False, **patterns: tuple[str, ...]) -> Orders:
        self.store()
        selection = Selection.of(path, patterns.get("include", ()), patterns.get("exclude", ()))
        snapshot = self.catalog.snapshots.get(self.snapshot.snapshot_id)
        record_tree(self.catalog, snapshot, self._intake.members)
        return Orders(RestorePlan(self.catalog, snapshot, selection, may_lack_parts=may_lack_parts))


def _holds(row: Any, entry: int) -> bool:
    return bool(row.first_entry <= entry < row.stop_entry)


class Orders:
    def __init__(self, plan: RestorePlan) -> None:
        self.wanted = plan.wanted
        self.plan = plan

    @property
    def picks(self) -> list[Pick]:
        return [pick for holder in self.plan.holders() for pick in self.plan.picks(holder)]

    def bytes_of(self, path: str) -> list[tuple[int, int]]:
        """Offset and size of what is ordered of a file, in order of the offset."""
        return sorted((pick.offset_bytes, pick.size_bytes) for pick in self.picks if pick.path == path)

    @property
    def files(self) -> list[str]:
        return sorted({pick.path for pick in self.picks})

    @property
    def not_stored(self) -> dict[str, list[tuple[int, int]]]:
        """Path → offset and size of what the backup could not read of it."""
        return {
            path: [(hole.offset_bytes, hole.size_bytes) for hole in holes]
            for path, holes in self.plan.not_stored().items()
        }

    @property
    def links(self) -> dict[str, str]:
        return {entry.path: entry.link for entry in self.plan.hard_links()}

    def made(self, entries: Iterator[TargetEntry]) -> list[tuple[str, str]]:
        return [(entry.kind, entry.path) for entry in entries]


Make = Callable[..., Stored]


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Make]:
    """Makes the source trees, by name, and plans their snapshot."""
    with offline(tmp_path) as run:

        def make(**trees: Entries) -> Stored:
            sources = {name: Tree(tree).make(tmp_path / "sources" / name) for name, tree in trees.items()}
            return Stored(run, run.plan(backup_request(sources)))

        yield make


# ---- selection


def test_all_that_was_stored_comes_back_whole(stored: Make) -> None:
    orders = stored(data={"a": b"12345", "deep/b": noise(3000), "large": noise(200 * KIB), "empty": b""}).restore()
    assert orders.bytes_of("data/a") == [(0, 5)]
    assert orders.bytes_of("data/deep/b") == [(0, 3000)]
    assert sum(size for _, size in orders.bytes_of("data/large")) == 200 * KIB
    assert orders.made(orders.plan.without_data()) == [
        ("directory", "data"),
        ("directory", "data/deep"),
        ("file", "data/empty"),
    ]
    assert (orders.wanted.files_count, orders.wanted.bytes_total) == (3, 3005 + 200 * KIB)


def test_a_folder_is_finished_after_the_folders_in_it(stored: Make) -> None:
    orders = stored(data={"a/b/c": b"1", "d/e": b"2"}).restore()
    made = [path for kind, path in orders.made(orders.plan.without_data()) if kind == "directory"]
    finished = list(orders.plan.directories())
    assert sorted(entry.path for entry in finished) == sorted(made)
    assert all(entry.finish for entry in finished)
    paths = [entry.path for entry in finished]
    assert sorted(paths) == ["data", "data/a", "data/a/b", "data/d"]
    assert all(paths.index(path) < paths.index(path.rpartition("/")[0]) for path in paths if "/" in path)


def test_only_what_is_wanted_is_picked_out_of_a_bundle_and_nothing_of_others(stored: Make) -> None:
    snapshot = stored(data={f"{number:02}": noise(1000 + number) for number in range(40)})
    orders = snapshot.restore("data/07")
    (pick,) = orders.picks
    assert (pick.path, pick.offset_bytes, pick.size_bytes) == ("07", 0, 1007)
    (holder,) = (one for one in orders.plan.holders() if orders.plan.picks(one))
    assert _holds(segments_by_id(snapshot.catalog)[holder.object.segment_id], pick.entry)
    assert (orders.wanted.files_count, orders.wanted.bytes_total) == (1, 1007)


def test_sources_that_hold_the_same_path_do_not_meet(stored: Make) -> None:
    orders = stored(left={"same/file": b"left!"}, right={"same/file": b"right"}).restore()
    assert orders.files == ["left/same/file", "right/same/file"]


def test_of_sources_that_hold_the_same_path_only_the_named_one_is_wanted(stored: Make) -> None:
    snapshot = stored(left={"same/file": b"left!"}, right={"same/file": b"right"})
    (pick,) = snapshot.restore("right/same").picks
    assert (pick.path, pick.entry) == ("file", snapshot.entry("right/same/file"))


@pytest.mark.parametrize(
    ("path", "include", "message"),
    [("data/b", (), "no path 'data/b'"), ("", ("*.nothing",), "nothing that matches"), ("dat", (), "no path 'dat'")],
)
def test_a_selection_that_holds_nothing_is_wrong_usage(
    stored: Make, path: str, include: tuple[str, ...], message: str
) -> None:
    snapshot = stored(data={"a": b"1"})
    with pytest.raises(UsageError, match=message) as caught:
        snapshot.restore(path, include=include)
    assert "segfleet ls" in caught.value.hint


def test_a_source_that_is_a_single_file_goes_into_the_target_by_its_name(tmp_path: Path) -> None:
    source = tmp_path / "disk.img"
    source.write_bytes(b"12345")
    with offline(tmp_path) as run:
        orders = Stored(run, run.plan(backup_request({"disk.img": source}))).restore()
        assert orders.bytes_of("disk.img") == [(0, 5)]


def test_names_that_are_not_utf_8_come_back_as_they_were(stored: Make) -> None:
    orders = stored(data={b"na\xefve/\xff": b"1", "link": Symlink(b"na\xefve")}).restore()
    assert orders.files == ["data/na\udcefve/\udcff"]
    links = [entry.link for entry in orders.plan.without_data() if entry.kind == "symlink"]
    assert list(map(os.fsencode, links)) == [b"na\xefve"]


# ---- hard links


def test_a_hard_link_joins_the_name_that_holds_the_data(stored: Make) -> None:
    orders = stored(data={"a": b"12345", "b": HardLink("a"), "deep/c": HardLink("a")}).restore()
    assert orders.files == ["data/a"]
    assert orders.links == {"data/b": "data/a", "data/deep/c": "data/a"}


def test_when_the_first_name_is_not_wanted_the_first_wanted_one_gets_the_data(stored: Make) -> None:
    snapshot = stored(data={"a": b"12345", "z/b": HardLink("a"), "z/c": HardLink("a")})
    orders = snapshot.restore("data/z")
    assert orders.bytes_of("b") == [(0, 5)]
    assert orders.files == ["b"]
    assert orders.links == {"c": "b"}
    assert [pick.metadata[0] for pick in orders.picks] == [0o644]


def test_a_hard_link_across_sources_gets_the_data_of_a_source_that_is_not_wanted(tmp_path: Path) -> None:
    left = Tree({"a": b"12345"}).make(tmp_path / "left")
    right = Tree({}).make(tmp_path / "right")
    os.link(left / "a", right / "b")
    with offline(tmp_path) as run:
        orders = Stored(run, run.plan(backup_request({"left": left, "right": right}))).restore("right")
        assert orders.bytes_of("b") == [(0, 5)]


def test_a_pieced_file_comes_back_under_the_wanted_name(stored: Make) -> None:
    snapshot = stored(data={"a": noise(200 * KIB), "z/b": HardLink("a")})
    orders = snapshot.restore("data/z")
    assert sum(size for _, size in orders.bytes_of("b")) == 200 * KIB
    assert orders.made(orders.plan.pieced_files(finish=True)) == [("file", "b")]
    assert orders.links == {}


def test_an_empty_file_comes_back_under_the_wanted_name(stored: Make) -> None:
    snapshot = stored(data={"a": b"", "z/b": HardLink("a"), "z/c": HardLink("a")})
    orders = snapshot.restore("data/z")
    assert set(orders.made(orders.plan.without_data())) == {("directory", ""), ("file", "b")}
    assert orders.links == {"c": "b"}


# ---- pieced files, and what the backup could not read


def test_a_pieced_file_is_covered_once_and_finished_at_its_whole_size(stored: Make) -> None:
    orders = stored(data={"large": noise(200 * KIB)}).restore()
    ends = 0
    for offset, size in orders.bytes_of("data/large"):
        assert offset == ends
        ends += size
    assert ends == 200 * KIB
    assert all(pick.metadata == () for pick in orders.picks)
    (finish,) = orders.plan.pieced_files(finish=True)
    assert (finish.path, finish.size_bytes, finish.finish) == ("data/large", 200 * KIB, True)


def test_a_large_file_has_the_time_at_which_all_its_pieces_saw_it(stored: Make) -> None:
    """It may have been written after the walk, and was stored as it was then."""
    snapshot = stored(data={"large": noise(200 * KIB)})
    snapshot.store(file_state={"size_bytes": 200 * KIB, "mtime_ns": 12_345, "ctime_ns": 1})

    (finish,) = snapshot.restore().plan.pieced_files(finish=True)

    assert finish.mtime_ns == 12_345


def test_a_large_file_whose_pieces_are_of_different_times_has_that_of_the_walk(stored: Make) -> None:
    snapshot = stored(data={"large": noise(200 * KIB)})
    state = {"size_bytes": 200 * KIB, "mtime_ns": 12_345, "ctime_ns": 1}
    snapshot.note("data/large", "changed", 64 * KIB, piece=1, file_state={**state, "mtime_ns": 67_890})
    snapshot.store(file_state=state)
    walked = snapshot.catalog.listing.reader(snapshot.snapshot.snapshot_id).entry(snapshot.entry("data/large"))

    (finish,) = snapshot.restore().plan.pieced_files(finish=True)

    assert finish.mtime_ns == walked.mtime_ns


def test_a_pieced_file_that_is_kept_in_the_target_is_not_ordered_any_more(stored: Make) -> None:
    orders = stored(data={"large": noise(200 * KIB), "other": noise(150 * KIB, 1)}).restore()
    orders.plan.leave_out("data/large")
    assert orders.files == ["data/other"]
    assert orders.made(orders.plan.pieced_files(finish=True)) == [("file", "data/other")]


def test_a_pieced_file_that_ended_early_is_as_long_as_it_was(stored: Make) -> None:
    snapshot = stored(data={"large": noise(200 * KIB)})
    snapshot.note("data/large", "changed", 100, piece=1)
    orders = snapshot.restore()
    second = orders.bytes_of("data/large")[1]
    assert second[1] == 100
    (finish,) = orders.plan.pieced_files(finish=True)
    assert finish.size_bytes == second[0] + 100


unreadable = pytest.mark.parametrize("trouble", ["vanished", "unreadable"])


@unreadable
def test_a_large_file_that_could_not_be_read_in_one_piece_does_not_come_back_in_part(
    stored: Make, trouble: str
) -> None:
    snapshot = stored(data={"large": noise(200 * KIB), "other": b"12345"})
    snapshot.note("data/large", trouble, 0, piece=1)
    orders = snapshot.restore()
    assert orders.files == ["data/other"]
    assert list(orders.plan.pieced_files(finish=True)) == []
    assert orders.not_stored == {"data/large": [snapshot.pieces("data/large")[1]]}


@unreadable
def test_it_comes_back_without_the_range_where_it_may_lack_parts(stored: Make, trouble: str) -> None:
    snapshot = stored(data={"large": noise(200 * KIB)})
    first, (offset, size), *rest = snapshot.pieces("data/large")
    snapshot.note("data/large", trouble, 1000, piece=1)
    orders = snapshot.restore(may_lack_parts=True)
    assert orders.not_stored == {"data/large": [(offset + 1000, size - 1000)]}
    assert orders.bytes_of("data/large") == [first, (offset, 1000), *rest]
    (finish,) = orders.plan.pieced_files(finish=True)
    assert finish.size_bytes == 200 * KIB


@unreadable
def test_a_piece_of_which_nothing_was_read_is_not_ordered(stored: Make, trouble: str) -> None:
    snapshot = stored(data={"large": noise(100 * KIB)})
    first, _, *rest = snapshot.pieces("data/large")
    snapshot.note("data/large", trouble, 0, piece=1)
    orders = snapshot.restore(may_lack_parts=True)
    assert orders.bytes_of("data/large") == [first, *rest]


@pytest.mark.parametrize("may_lack_parts", [False, True])
def test_a_large_file_of_which_nothing_was_read_is_named_once_and_does_not_come_back(
    stored: Make, may_lack_parts: bool
) -> None:
    snapshot = stored(data={"large": noise(100 * KIB), "other": b"12345"})
    for piece in range(len(snapshot.pieces("data/large"))):
        snapshot.note("data/large", "vanished", 0, piece=piece)
    orders = snapshot.restore(may_lack_parts=may_lack_parts)
    assert orders.files == ["data/other"]
    assert "data/large" not in [entry.path for entry in orders.plan.pieced_files(finish=True)]
    assert orders.not_stored == {"data/large": [(0, 100 * KIB)]}


@unreadable
@pytest.mark.parametrize("may_lack_parts", [False, True])
def test_a_file_of_a_bundle_that_could_not_be_read_to_its_end_does_not_come_back(
    stored: Make, trouble: str, may_lack_parts: bool
) -> None:
    snapshot = stored(data=BUNDLED)
    snapshot.note("data/4", trouble, 2)
    orders = snapshot.restore(exclude=("/data/large",), may_lack_parts=may_lack_parts)
    assert orders.files == [f"data/{number}" for number in (0, 1, 2, 3, 5, 6, 7, 8)]
    assert orders.not_stored == {"data/4": [(0, 5)]}


def test_a_file_that_was_read_to_its_end_before_it_vanished_comes_back(stored: Make) -> None:
    snapshot = stored(data=BUNDLED)
    snapshot.note("data/4", "vanished", 5)
    orders = snapshot.restore()
    assert orders.bytes_of("data/4") == [(0, 5)]
    assert orders.not_stored == {}


def test_a_file_that_is_not_wanted_is_not_named_though_the_backup_could_not_read_it(stored: Make) -> None:
    snapshot = stored(data=BUNDLED)
    snapshot.note("data/4", "vanished", 0)
    assert snapshot.restore("data/5").not_stored == {}
    assert snapshot.restore(exclude=("/data/4",)).not_stored == {}


def test_every_name_of_a_file_that_could_not_be_read_is_named_and_no_link_is_made(stored: Make) -> None:
    snapshot = stored(data={"a": b"12345", "b": HardLink("a"), "c": b"1", "d": HardLink("c")})
    snapshot.note("data/a", "vanished", 0)
    orders = snapshot.restore()
    assert orders.not_stored == {"data/a": [(0, 5)], "data/b": [(0, 5)]}
    assert orders.links == {"data/d": "data/c"}


def test_a_link_is_named_when_the_name_that_could_not_be_read_is_not_wanted(stored: Make) -> None:
    snapshot = stored(data={"a": b"12345", "z/b": HardLink("a"), "z/c": HardLink("a")})
    snapshot.note("data/a", "vanished", 0)
    orders = snapshot.restore("data/z")
    assert orders.files == []
    assert orders.not_stored == {"b": [(0, 5)], "c": [(0, 5)]}
    assert orders.links == {}


def test_a_file_of_a_bundle_that_was_shorter_comes_back_shorter_and_moves_no_other(stored: Make) -> None:
    snapshot = stored(data={f"{number}": b"12345" for number in range(9)})
    snapshot.note("data/4", "changed", 2)
    orders = snapshot.restore(exclude=("/data/0",))
    assert orders.bytes_of("data/4") == [(0, 2)]
    assert len(orders.files) == 8
    for holder in orders.plan.holders():
        row = segments_by_id(snapshot.catalog)[holder.object.segment_id]
        for pick in orders.plan.picks(holder):
            files_before = [size for size in snapshot.sizes[row.first_entry : pick.entry] if size > 0]
            assert pick.stream_offset_bytes == sum(files_before)


# ---- costs


def test_many_large_files_that_are_kept_cost_one_look_at_each(stored: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"large {number}" for number in range(12)]
    orders = stored(data={name: noise(100 * KIB, number) for number, name in enumerate(names)}).restore()
    assert len(orders.wanted.pieced) == len(names)
    looks: list[int] = []
    entry = ListingReader.entry

    def counted(reader: ListingReader, index: int) -> ListedEntry:
        looks.append(index)
        return entry(reader, index)

    monkeypatch.setattr(ListingReader, "entry", counted)
    for name in names:
        orders.plan.leave_out(f"data/{name}")
    assert len(looks) == len(names)
    assert orders.files == []


def test_the_segments_of_a_device_are_all_that_is_read_for_it(stored: Make) -> None:
    orders = stored(data={f"f{number}": noise(100 * KIB, number) for number in range(4)}).restore()
    everything = list(orders.plan.holders())
    by_device = {one.object.device_id: list(orders.plan.holders(one.object.device_id)) for one in everything}
    assert len(by_device) > 1
    for device_id, holders in by_device.items():
        assert holders == [one for one in everything if one.object.device_id == device_id]
