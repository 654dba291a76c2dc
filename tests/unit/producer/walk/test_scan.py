"""What the walk lists, in which order, and what it does about entries that it cannot read."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from producer.listing import Entry, decode_part
from producer.observer import Trouble
from producer.requests import Exclusions, Source
from producer.walk import Walk
from producer.walk.found import BATCH_ENTRIES_COUNT
from tasks.errors import UsageError
from tasks.values import MAX_PATH_CHARACTERS


class Seen:
    """A finished walk: its entries, its troubles and its tallies."""

    def __init__(self, *paths: Path, on_progress: Callable[[int, int], None] | None = None, **options: object) -> None:
        self.troubles: list[Trouble] = []
        sources = [Source(name=path.name, path=path) for path in paths]
        exclusions = Exclusions(**options)  # type: ignore[arg-type]
        quiet = on_progress or (lambda files, size: None)
        self.walk = Walk(sources, exclusions, on_trouble=self.troubles.append, on_progress=quiet)
        self.parts = list(self.walk.parts())
        self.batches = [batch for part in self.parts for batch in decode_part(part.data)]
        self.entries: list[Entry] = [entry for batch in self.batches for entry in batch]

    @property
    def paths(self) -> list[str]:
        return [entry.path for entry in self.entries]

    def entry(self, path: str) -> Entry:
        return next(entry for entry in self.entries if entry.path == path)


def make(root: Path, tree: dict[str, object]) -> Path:
    """A tree from a literal: bytes are files, dicts are directories, text is a symlink."""
    root.mkdir()
    for name, content in tree.items():
        if isinstance(content, dict):
            make(root / name, content)
        elif isinstance(content, bytes):
            (root / name).write_bytes(content)
        else:
            (root / name).symlink_to(str(content))
    return root


def test_entries_come_by_directory_and_name_then_subdirectories_depth_first(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"b": {"z": {"deep": b"1"}, "a": b"2"}, "a": {"x": b"3"}, "c": b"4", "B": b""})
    assert Seen(root).paths == ["", "B", "a", "b", "c", "a/x", "b/a", "b/z", "b/z/deep"]


def test_names_are_sorted_as_bytes(tmp_path: Path) -> None:
    names = [b"\xff", b"\xf0\x9f\x98\x80", b"\xee\x80\x80", b"z", b"new\nline", "é".encode(), b"n" * 255]
    root = make(tmp_path / "src", {})
    for name in names:
        (Path(os.fsdecode(bytes(root) + b"/" + name))).write_bytes(b"x")
    seen = Seen(root)
    assert sorted(names) == [os.fsencode(path) for path in seen.paths[1:]]
    assert seen.troubles == []


def test_an_entry_carries_what_the_file_system_says(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"file": b"12345", "link": "../else\udcff", "dir": {}})
    (root / "file").chmod(0o4751)
    os.utime(root / "file", ns=(1, -1_500_000_001))
    os.mkfifo(root / "fifo", 0o600)
    seen = Seen(root)
    status = (root / "file").stat()
    assert seen.entry("file") == Entry(
        index=3,
        source="src",
        path="file",
        kind="file",
        mode=0o4751,
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=-1_500_000_001,
        ctime_ns=status.st_ctime_ns,
        size_bytes=5,
        birth_ns=seen.entry("file").birth_ns,
    )
    assert seen.entry("link").link == "../else\udcff"
    assert {path: seen.entry(path).kind for path in ("dir", "fifo", "link")} == {
        "dir": "directory",
        "fifo": "fifo",
        "link": "symlink",
    }
    assert seen.entries[0].snapshot_path == "src"
    assert seen.entry("file").snapshot_path == "src/file"


def test_device_nodes_keep_their_number() -> None:
    null = Seen(Path("/dev/null")).entries[0]
    assert (null.kind, null.device_number) == ("character", os.stat("/dev/null").st_rdev)


def test_a_symlink_to_a_directory_is_not_followed(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"dir": {"file": b"1"}, "loop": ".", "other": "dir"})
    assert Seen(root).paths == ["", "dir", "loop", "other", "dir/file"]


def test_sockets_are_left_out_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make(tmp_path / "src", {"file": b"1"})
    monkeypatch.chdir(root)  # socket paths are limited to 107 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        seen = Seen(root)
    assert seen.paths == ["", "file"]
    assert seen.troubles == []


def test_sizes_and_tallies_count_what_is_stored(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"a": b"123", "b": {}, "empty": b"", "link": "a"})
    os.link(root / "a", root / "b" / "again")
    walk = Seen(root).walk
    assert list(walk.sizes) == [-1, 3, -1, 0, -1, -1]
    assert (walk.files_count, walk.bytes_total) == (2, 3)


def test_later_names_of_a_file_are_links_to_the_first_across_sources(tmp_path: Path) -> None:
    first = make(tmp_path / "one", {"dir": {"original": b"data"}})
    second = make(tmp_path / "two", {})
    os.link(first / "dir" / "original", second / "copy")
    seen = Seen(first, second)
    assert (seen.entry("dir/original").kind, seen.entry("dir/original").link) == ("file", "")
    assert (seen.entry("copy").kind, seen.entry("copy").link) == ("hardlink", "one/dir/original")


def test_several_sources_follow_each_other(tmp_path: Path) -> None:
    first = make(tmp_path / "one", {"file": b"1"})
    second = make(tmp_path / "two", {"file": b"22"})
    seen = Seen(first, second)
    assert seen.walk.source_starts == [0, 2]
    assert [(e.source, e.path) for e in seen.entries] == [("one", ""), ("one", "file"), ("two", ""), ("two", "file")]
    assert [entry.index for entry in seen.entries] == [0, 1, 2, 3]


def test_a_source_may_be_one_file(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"1234")
    seen = Seen(tmp_path / "image")
    assert [(entry.path, entry.kind, entry.size_bytes) for entry in seen.entries] == [("", "file", 4)]


def test_a_missing_source_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone: No such file"):
        Seen(make(tmp_path / "src", {}), tmp_path / "gone")


def test_a_directory_that_vanishes_during_the_walk_is_told_and_the_rest_is_listed(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"a": {"file": b"1"}, "b": {"file": b"1"}, "file": b"1"})
    seen = Seen(root, on_progress=lambda files, size: shutil.rmtree(root / "a", ignore_errors=True) if files else None)
    assert seen.paths == ["", "a", "b", "file", "b/file"]
    assert [("vanished", f"{root}/a")] == [(trouble.code, trouble.path) for trouble in seen.troubles]


def test_a_directory_that_becomes_a_symlink_during_the_walk_is_not_followed(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"a": {}, "file": b"1"})
    secret = make(tmp_path / "secret", {"key": b"1"})

    def swap(files: int, size: int) -> None:
        if files and not (root / "a").is_symlink():
            (root / "a").rmdir()
            (root / "a").symlink_to(secret)

    seen = Seen(root, on_progress=swap)
    assert seen.paths == ["", "a", "file"]
    assert [("unreadable", f"{root}/a")] == [(trouble.code, trouble.path) for trouble in seen.troubles]


@contextmanager
def without_privileges() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_directory_is_told_and_kept_as_an_empty_one() -> None:
    with without_privileges(), tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder) / "src", {"closed": {"file": b"1"}, "open": {"file": b"1"}})
        (root / "closed").chmod(0)
        seen = Seen(root)
        (root / "closed").chmod(0o700)
    assert seen.paths == ["", "closed", "open", "open/file"]
    expected = Trouble(code="unreadable", message="Permission denied", path=f"{root}/closed")
    assert [expected] == seen.troubles


def test_an_entry_that_cannot_be_looked_at_is_told_unless_it_is_excluded() -> None:
    with without_privileges(), tempfile.TemporaryDirectory() as folder:
        root = make(Path(folder) / "src", {"listed-only": {"x": b"1", "y": b"1"}})
        (root / "listed-only").chmod(0o400)
        seen = Seen(root, patterns=("y",))
        (root / "listed-only").chmod(0o700)
    assert [f"{root}/listed-only/x"] == [trouble.path for trouble in seen.troubles]


def test_a_large_directory_comes_in_several_batches(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {})
    for number in range(BATCH_ENTRIES_COUNT + 1):
        (root / f"{number:05d}").touch()
    seen = Seen(root)
    assert [len(batch) for batch in seen.batches] == [1, BATCH_ENTRIES_COUNT, 1]
    assert list(range(BATCH_ENTRIES_COUNT + 2)) == [entry.index for entry in seen.entries]


def test_long_symlinks_are_spread_over_batches(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {f"{number:03d}": "é" * 2000 for number in range(300)})
    seen = Seen(root)
    assert len(seen.batches) > 2
    assert all(len(entry.link) == 2000 for entry in seen.entries[1:])


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """A folder for trees that only ``rm`` can remove: Python's rmtree recurses."""
    root = make(tmp_path / "deep", {})
    yield root
    subprocess.run(["rm", "-rf", str(root)], check=True)


def make_chain(root: Path, name: str, levels_count: int) -> int:
    """Directories within each other, made step by step; a descriptor of the deepest."""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(levels_count):
        os.mkdir(name, dir_fd=descriptor)
        below = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    return descriptor


def test_a_tree_of_1500_levels_is_walked(deep: Path) -> None:
    root = make(deep / "src", {})
    os.close(make_chain(root, "d", 1500))
    seen = Seen(root)
    assert len(seen.entries) == 1501
    assert seen.troubles == []


def test_absolute_paths_longer_than_the_system_takes_are_read(deep: Path) -> None:
    root = make(deep / "src", {})
    deepest = make_chain(root, "d" * 200, 20)
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=deepest))
    os.close(deepest)
    long_root = root
    while len(str(long_root)) < 1000:
        long_root = make(long_root / ("r" * 200), {})
    os.close(make_chain(long_root, "d" * 200, 18))
    seen = Seen(long_root)
    assert len(seen.entries) == 19
    assert len(f"{long_root}/{seen.entries[-1].path}") > 4096
    assert seen.troubles == []


def test_a_path_longer_than_an_order_takes_is_told_and_left_out(deep: Path) -> None:
    root = make(deep / "src", {"other": b"1"})
    os.close(make_chain(root, "d" * 200, 25))
    seen = Seen(root)
    assert MAX_PATH_CHARACTERS >= max(map(len, seen.paths)) > MAX_PATH_CHARACTERS - 201
    assert [trouble.code for trouble in seen.troubles] == ["path-too-long"]
    assert "other" in seen.paths


def test_progress_counts_files_and_bytes(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"a": {"file": b"12"}, "file": b"1"})
    reports: list[tuple[int, int]] = []
    Seen(root, on_progress=lambda files, size: reports.append((files, size)))
    assert reports == [(0, 0), (1, 1), (2, 3)]


def test_the_data_of_a_file_with_holes_counts_and_its_holes_do_not(tmp_path: Path) -> None:
    root = make(tmp_path / "src", {"small": b"x", "whole": b"x" * 5_000_000})
    for name, places in {"sparse": [0, 10**10, 2 * 10**10], "hole": []}.items():
        with (root / name).open("wb") as file:
            for place in places:
                file.seek(place)
                file.write(b"data")
            file.truncate(10**11)
    seen = Seen(root)
    sparse, hole = seen.entry("sparse"), seen.entry("hole")
    block = (root / "sparse").stat().st_blksize
    assert [start // block * block for start in (0, 10**10, 2 * 10**10)] == [
        start for start, _ in sparse.data_ranges or ()
    ]
    assert (sparse.size_bytes, hole.size_bytes, hole.data_ranges) == (10**11, 10**11, [])
    assert 3 <= sparse.data_bytes < 2**20
    assert (seen.walk.sizes[sparse.index], seen.walk.sizes[hole.index]) == (sparse.data_bytes, 0)
    assert seen.walk.ranges_counts == {sparse.index: 3}
    assert seen.walk.bytes_total == 1 + 5_000_000 + sparse.data_bytes
    assert seen.entry("whole").data_ranges is None
