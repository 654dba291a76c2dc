"""Files that were touched, moved, grown, cut or changed in place: read, compared, and stored where they differ."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.models.in_process import InProcess, in_process
from kit.tree import SparseFile, Tree, noise
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.pool.holdings import Lacking, bytes_in, paths_in
from producer.summaries import BackupSummary
from tasks.digests import CELL_BYTES
from tasks.orders import Order, PutManifest, StoreSegment

MIB = 1024**2
KEPT_BYTES = 9 * MIB + 12_345
LARGE = noise(KEPT_BYTES)


class Crash(Exception):
    """The run ends here."""


def crash(order: Order) -> None:
    """Before the seal."""
    if isinstance(order, PutManifest):
        raise Crash


class Source:
    """A folder that is backed up again and again, with a copy of what it was each time."""

    def __init__(self, run: InProcess, folder: Path) -> None:
        self.run = run
        self.root = Tree({"small": noise(5_000, seed=1), "sub/large": LARGE, "sub/other": b"other"}).make(
            folder / "src"
        )
        self.kept: dict[str, Path] = {}
        self._folder = folder

    def back_up(self, *, has_troubles: bool = False) -> BackupSummary:
        sizes = {"segment_bytes": 8 * MIB, "unit_bytes": MIB}
        done = self.run.back_up({"src": self.root}, has_troubles=has_troubles, **sizes)
        assert done.snapshot_id is not None
        kept = self._folder / "kept" / done.snapshot_id
        shutil.copytree(self.root, kept / "src", symlinks=True)
        self.kept[done.snapshot_id] = kept
        return done

    def interrupted(self) -> SnapshotRow:
        """The snapshot of a backup that ends before its seal."""
        self.run.before = crash
        with pytest.raises(Crash):
            self.back_up()
        self.run.before = lambda order: None
        (opened,) = self.run.catalog.snapshots.all("open")
        return opened

    def write(self, path: str, offset_bytes: int, data: bytes) -> None:
        with (self.root / path).open("r+b") as file:
            file.seek(offset_bytes)
            file.write(data)

    def check_all(self) -> None:
        """Each snapshot restores to what the tree was then."""
        for snapshot_id, kept in self.kept.items():
            shutil.rmtree(self.run.target, ignore_errors=True)
            self.run.restore(snapshot=snapshot_id)
            assert contents(self.run.target) == contents(kept)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Source]:
    with in_process(tmp_path) as run:
        made = Source(run, tmp_path)
        made.back_up()
        yield made


def touch(root: Path) -> None:
    for path in root.rglob("*"):
        os.utime(path)


def rename(root: Path) -> None:
    (root / "small").rename(root / "sub" / "renamed")
    (root / "sub" / "large").rename(root / "larger")


def replace_by_copies(root: Path) -> None:
    for path in [path for path in root.rglob("*") if path.is_file()]:
        copy = shutil.copy(path, f"{path}.copy")
        Path(copy).replace(path)


@pytest.mark.parametrize("change", [touch, rename, replace_by_copies])
def test_of_files_with_new_times_names_or_inodes_nothing_is_stored(
    source: Source, change: Callable[[Path], None]
) -> None:
    change(source.root)
    done = source.back_up()
    assert done.bytes_stored == done.files_unchanged == 0
    assert done.bytes_read > KEPT_BYTES
    # The next one refers to the same places.
    assert source.back_up().bytes_stored == 0
    source.check_all()


def test_a_file_that_kept_its_size_and_changed_is_stored(source: Source) -> None:
    source.write("small", 4_000, b"changed")
    os.utime(source.root / "sub" / "other")
    done = source.back_up()
    assert 5_000 < done.bytes_stored < 8_000
    source.check_all()


@pytest.mark.parametrize(
    ("offset_bytes", "data", "most_bytes"),
    [
        (CELL_BYTES + 5, b"in the second cell", CELL_BYTES),
        (KEPT_BYTES, b"behind the end", 100),
        (KEPT_BYTES - 3, b"over the end", 2 * MIB),
        (CELL_BYTES - 1, b"in two cells", 2 * CELL_BYTES),
    ],
)
def test_of_a_large_file_only_the_cells_that_differ_are_stored(
    source: Source, offset_bytes: int, data: bytes, most_bytes: int
) -> None:
    source.write("sub/large", offset_bytes, data)
    done = source.back_up()
    assert 0 < done.bytes_stored < most_bytes + 10_000
    assert source.back_up().bytes_stored == 0
    source.check_all()


@pytest.mark.parametrize("size_bytes", [2 * CELL_BYTES, KEPT_BYTES - 1])
def test_a_large_file_that_was_cut_stores_its_last_cell_at_most(source: Source, size_bytes: int) -> None:
    os.truncate(source.root / "sub" / "large", size_bytes)
    assert source.back_up().bytes_stored <= size_bytes % CELL_BYTES + 10_000
    source.check_all()


def test_a_log_that_grows_a_little_each_day_does_not_fall_into_little_pieces(source: Source) -> None:
    for day in range(1, 5):
        with (source.root / "sub" / "large").open("ab") as log:
            log.write(noise(1_000, seed=day))
        assert 0 < source.back_up().bytes_stored < day * 1_000 + 10_000
    source.check_all()


def test_a_file_with_holes_is_compared_too_also_where_it_got_other_holes(source: Source) -> None:
    island = noise(CELL_BYTES + 100_000, seed=3)
    Tree({"image": SparseFile(40 * MIB, {8 * MIB: island, 24 * MIB: island})}).make(source.root)
    source.back_up()
    source.write("image", 24 * MIB, b"changed")
    source.write("image", 36 * MIB, b"a new island")
    assert 0 < source.back_up().bytes_stored < CELL_BYTES + 2 * MIB
    source.check_all()


@pytest.mark.parametrize("again", [False, True])
def test_what_changes_between_the_walk_and_the_reading_is_never_taken_for_what_was_there(
    source: Source, again: bool
) -> None:
    times = itertools.count()

    def change(order: Order) -> None:
        if isinstance(order, StoreSegment) and "sub/large" in order.extents.paths:
            source.write("sub/large", 5 * MIB, b"again %d" % next(times) if again else b"once")

    touch(source.root)
    source.run.before = change
    done = source.back_up(has_troubles=True)
    source.run.before = lambda order: None
    source.run.restore(snapshot=done.snapshot_id)
    restored = (source.run.target / "src" / "sub" / "large").read_bytes()
    now = (source.root / "sub" / "large").read_bytes()
    assert restored == now


@pytest.mark.parametrize("has_changed", [False, True])
def test_a_resumed_backup_keeps_what_was_found_unchanged(source: Source, has_changed: bool) -> None:
    """Also where other files have changed since, so that its segments are at other entries."""
    touch(source.root)
    opened = source.interrupted()
    before = {row.state for row in source.run.catalog.segments.valid(opened.snapshot_id)}
    if has_changed:
        (source.root / "a new one").write_bytes(b"new")
    done = source.back_up()
    assert before == {"unchanged"}
    assert done.snapshot_id == opened.snapshot_id
    assert done.bytes_stored < 1_000
    source.check_all()


def test_what_was_found_unchanged_needs_the_segments_where_it_is_and_what_differs_does_not(source: Source) -> None:
    catalog = source.run.catalog
    ids = source.run.tree().parts_of_segments
    objects = [Lacking(segment_id=one, device_id="", device="", held=()) for one in ids]
    source.write("small", 4_000, b"changed")
    os.utime(source.root / "sub" / "other")
    snapshot_id = source.interrupted().snapshot_id
    names = {str(Path(path).relative_to(source.root)) for path in paths_in(catalog, snapshot_id, objects).values()}
    assert names == {"sub/large", "sub/other"}
    assert bytes_in(catalog, snapshot_id, objects) == KEPT_BYTES + len(b"other")
    own = list(catalog.segments.stored(snapshot_id))
    assert [Path(path).name for path in paths_in(catalog, snapshot_id, own).values()] == ["small"]
    assert bytes_in(catalog, snapshot_id, own) == 5_000
