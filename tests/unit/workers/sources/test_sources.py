"""Extents as a stream: planned sizes always, and a note wherever the files are not as planned."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from tasks.digests import NO_DIGEST, content_digest
from tasks.errors import SourceError
from tasks.sources.states import WalkedStates
from tasks.values import Extent, Extents
from workers.sources.files import SourceFiles
from workers.sources.kept_times import KeptTimes
from workers.sources.place import Place
from workers.sources.stream import ExtentStream

TREE = {
    "a.txt": b"alpha",
    "caf\udce9/\n": b"newline",
    "deep/er/b.bin": bytes(range(256)) * 300,
    "deep/er/" + "n" * 255: b"long",
    "deep/z": b"zed",
    "other/c": b"gamma",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for path, data in TREE.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


def whole(*paths: str) -> Extents:
    return Extents.of([Extent(path=path, offset_bytes=0, size_bytes=len(TREE[path])) for path in paths])


def read(stream: ExtentStream, size_bytes: int, unit_bytes: int = 1000) -> bytes:
    """The stream, unit by unit, through a buffer that is dirty when it is reused."""
    result = b""
    buffer = bytearray(b"\xaa" * unit_bytes)
    while len(result) < size_bytes:
        view = memoryview(buffer)[: min(unit_bytes, size_bytes - len(result))]
        assert stream.fill(view) == len(view)
        result += view
    return result


def read_all(
    root: Path, extents: Extents, states: WalkedStates | None = None
) -> tuple[bytes, list[tuple[int, str, int]], ExtentStream]:
    with SourceFiles(Place("s", root)) as files, ExtentStream(files, extents, states) as stream:
        data = read(stream, extents.total_bytes)
        assert stream.fill(memoryview(bytearray(1))) == 0
    return data, [(note.index, note.trouble, note.read_bytes) for note in stream.notes], stream


def open_files() -> list[str]:
    return os.listdir("/proc/self/fd")


def test_a_bundle_is_its_files_one_after_the_other(source: Path) -> None:
    before = len(open_files())
    data, notes, stream = read_all(source, whole(*TREE))
    assert data == b"".join(TREE.values())
    assert (notes, stream.file_state) == ([], None)
    assert len(open_files()) == before


def test_a_source_may_be_a_single_file_or_a_symlink_to_one(source: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(source / "a.txt")
    for root in (source / "a.txt", link):
        data, notes, _ = read_all(root, Extents.of([Extent(path="", offset_bytes=1, size_bytes=3)]))
        assert (data, notes) == (b"lph", [])


def test_a_piece_of_a_larger_file_is_no_trouble_and_tells_the_state_of_the_file(source: Path) -> None:
    extents = Extents.of([Extent(path="deep/er/b.bin", offset_bytes=255, size_bytes=5000)])
    data, notes, stream = read_all(source, extents)
    assert data == TREE["deep/er/b.bin"][255:5255]
    status = (source / "deep/er/b.bin").stat()
    assert stream.file_state is not None
    assert (stream.file_state.size_bytes, stream.file_state.mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert notes == []


def test_a_time_that_64_bits_do_not_hold_is_told_as_the_nearest_one() -> None:
    # A tmpfs keeps it; ext4 begins in 1901.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        file = Path(folder) / "file"
        file.write_bytes(b"of the year 1")
        os.utime(file, ns=(0, -62_135_596_800_000_000_000))
        piece = Extents.of([Extent(path="file", offset_bytes=0, size_bytes=2)])
        _, _, stream = read_all(Path(folder), piece)
    assert stream.file_state is not None
    assert stream.file_state.mtime_ns == -(2**63)


def test_a_file_that_vanishes_is_zeros_and_the_rest_goes_on(source: Path) -> None:
    (source / "deep/z").unlink()
    data, notes, _ = read_all(source, whole("a.txt", "deep/z", "other/c"))
    assert data == b"alpha" + bytes(3) + b"gamma"
    assert notes == [(1, "vanished", 0)]


def test_a_folder_that_vanishes_takes_its_files_with_it_and_no_others(source: Path) -> None:
    (source / "deep").rename(source.with_name("gone"))
    data, notes, _ = read_all(source, whole("deep/er/b.bin", "deep/z", "other/c"))
    assert data == bytes(76800 + 3) + b"gamma"
    assert notes == [(0, "vanished", 0), (1, "vanished", 0)]


def test_a_file_that_shrank_is_filled_up_with_zeros(source: Path) -> None:
    extents = whole("deep/er/b.bin", "deep/z")
    os.truncate(source / "deep/er/b.bin", 1500)
    data, notes, _ = read_all(source, extents)
    assert data == TREE["deep/er/b.bin"][:1500] + bytes(75300) + b"zed"
    assert notes == [(0, "changed", 1500)]


def test_a_file_that_grew_is_cut_to_its_planned_size_and_noted(source: Path) -> None:
    extents = whole("a.txt", "deep/z")
    (source / "a.txt").write_bytes(b"alphabet")
    data, notes, _ = read_all(source, extents)
    assert data == b"alphazed"
    assert notes == [(0, "changed", 5)]


def test_a_file_that_is_written_while_it_is_read_is_noted(source: Path) -> None:
    extents = whole("deep/er/b.bin", "deep/z")
    with SourceFiles(Place("s", source)) as files, ExtentStream(files, extents) as stream:
        stream.fill(memoryview(bytearray(1000)))
        with (source / "deep/er/b.bin").open("r+b") as file:
            file.write(b"new")
        os.utime(source / "deep/er/b.bin", ns=(1, 1))
        read(stream, extents.total_bytes - 1000)
    assert [(note.index, note.trouble) for note in stream.notes] == [(0, "changed")]


def walked(root: Path, extents: Extents) -> WalkedStates:
    """What a walk sees of the files now."""
    statuses = [(root / path).stat() for path in extents.paths]
    return WalkedStates(
        mtimes_ns=[status.st_mtime_ns for status in statuses],
        ctimes_ns=[status.st_ctime_ns for status in statuses],
        modes=[status.st_mode & 0o7777 for status in statuses],
        uids=[status.st_uid for status in statuses],
        gids=[status.st_gid for status in statuses],
    )


def test_files_that_were_not_written_since_the_walk_are_no_trouble_whatever_their_times(source: Path) -> None:
    extents = whole("a.txt", "deep/z", "other/c")
    for path, mtime_ns in zip(extents.paths, (-1, 0, 9_000_000_000_123_456_789), strict=True):
        os.utime(source / path, ns=(mtime_ns, mtime_ns))
    _, notes, _ = read_all(source, extents, walked(source, extents))
    assert notes == []


@pytest.mark.parametrize("at_ns", [10**18, 3 * 10**18], ids=["by an older one", "by a newer one"])
def test_a_file_replaced_after_the_walk_by_one_of_its_size_is_stored_as_it_is_and_noted(
    source: Path, at_ns: int
) -> None:
    extents = whole("a.txt", "deep/er/b.bin", "deep/z")
    planned = walked(source, extents)
    new = bytes(len(TREE["deep/er/b.bin"]))
    (source / "deep/er/b.bin").write_bytes(new)
    os.utime(source / "deep/er/b.bin", ns=(at_ns, at_ns))
    data, notes, _ = read_all(source, extents, planned)
    assert data == b"alpha" + new + b"zed"
    assert notes == [(1, "changed", len(new))]


def test_a_file_cut_while_it_is_read_gives_zeros_for_the_rest(source: Path) -> None:
    extents = whole("deep/er/b.bin", "deep/z")
    with SourceFiles(Place("s", source)) as files, ExtentStream(files, extents) as stream:
        stream.fill(memoryview(bytearray(1000)))
        os.truncate(source / "deep/er/b.bin", 2000)
        rest = read(stream, extents.total_bytes - 1000)
    assert rest == TREE["deep/er/b.bin"][1000:2000] + bytes(74800) + b"zed"
    assert [(note.index, note.trouble, note.read_bytes) for note in stream.notes] == [(0, "changed", 2000)]


def test_what_is_written_behind_a_cut_while_a_file_is_read_is_not_taken_for_its_content(source: Path) -> None:
    extents = whole("deep/er/b.bin", "deep/z")
    with SourceFiles(Place("s", source)) as files, ExtentStream(files, extents) as stream:
        os.truncate(source / "deep/er/b.bin", 500)
        stream.fill(memoryview(bytearray(1000)))
        (source / "deep/er/b.bin").write_bytes(TREE["deep/er/b.bin"])
        rest = read(stream, extents.total_bytes - 1000)
    assert rest == bytes(75800) + b"zed"
    assert [(note.index, note.trouble, note.read_bytes) for note in stream.notes] == [(0, "changed", 500)]
    assert stream.digests.extents == content_digest(TREE["deep/er/b.bin"][:500]) + content_digest(b"zed")


def test_each_extent_has_the_digest_of_what_was_read_of_it(source: Path) -> None:
    extents = whole(*TREE)
    (source / "deep/z").unlink()
    os.truncate(source / "deep/er/b.bin", 1500)
    _, _, stream = read_all(source, extents)
    expected = {path: content_digest(data) for path, data in TREE.items()}
    expected |= {"deep/z": NO_DIGEST, "deep/er/b.bin": content_digest(TREE["deep/er/b.bin"][:1500])}
    assert stream.digests.extents == b"".join(expected.values())
    assert stream.digests.cells == b""


def test_a_symlink_swapped_in_for_a_file_is_not_followed(source: Path) -> None:
    extents = whole("a.txt", "deep/z")
    (source / "a.txt").unlink()
    (source / "a.txt").symlink_to("/etc/hostname")
    data, notes, _ = read_all(source, extents)
    assert data == bytes(5) + b"zed"
    assert notes == [(0, "unreadable", 0)]


def test_a_symlink_swapped_in_for_a_folder_is_not_followed(source: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (source / "deep").rename(outside)
    (source / "deep").symlink_to(outside)
    data, notes, _ = read_all(source, whole("deep/er/b.bin", "deep/z", "other/c"))
    assert data == bytes(76800 + 3) + b"gamma"
    assert notes == [(0, "unreadable", 0), (1, "unreadable", 0)]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_what_is_no_longer_a_regular_file_is_not_read(source: Path, make: Callable[[Path], None]) -> None:
    extents = whole("a.txt", "deep/z")
    (source / "a.txt").unlink()
    make(source / "a.txt")
    data, notes, _ = read_all(source, extents)
    assert data == bytes(5) + b"zed"
    assert notes == [(0, "unreadable", 0)]


def test_a_bad_sector_costs_the_rest_of_its_file_alone(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_preadv = os.preadv

    def preadv(fd: int, buffers: list[memoryview], offset: int, *flags: int) -> int:
        if offset >= 2000:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real_preadv(fd, buffers, offset, *flags)

    monkeypatch.setattr(os, "preadv", preadv)
    data, notes, _ = read_all(source, whole("deep/er/b.bin", "deep/z"))
    assert data == TREE["deep/er/b.bin"][:2000] + bytes(74800) + b"zed"
    assert notes == [(0, "unreadable", 2000)]


def test_a_file_of_another_owner_is_read_without_noatime(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open, refused = os.open, []

    def only_for_owners(path: str, flags: int, *args: int, **more: int) -> int:
        if flags & os.O_NOATIME:
            refused.append(path)
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real_open(path, flags, *args, **more)

    monkeypatch.setattr(os, "open", only_for_owners)
    data, notes, _ = read_all(source, whole("a.txt", "deep/z"))
    assert (data, notes) == (b"alphazed", [])
    assert refused == ["a.txt"]


def test_a_path_deeper_than_the_folders_kept_open_can_be_read(tmp_path: Path) -> None:
    root = tmp_path / "source"
    paths = ["/".join(["d"] * depth + ["f"]) for depth in (0, 1, 63, 64, 65, 200, 3)]
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path.count('/'):03}")
    extents = Extents.of([Extent(path=path, offset_bytes=0, size_bytes=3) for path in paths])
    data, notes, _ = read_all(root, extents)
    assert (data, notes) == (b"000001063064065200003", [])


def test_a_large_file_is_read_whole_with_advice_to_the_kernel(tmp_path: Path) -> None:
    data = os.urandom(1024) * (5 * 1024)
    (tmp_path / "big").write_bytes(data)
    extents = Extents.of([Extent(path="big", offset_bytes=0, size_bytes=len(data))])
    with SourceFiles(Place("s", tmp_path)) as files, ExtentStream(files, extents) as stream:
        assert read(stream, len(data), unit_bytes=1 << 20) == data
    assert stream.notes == []


def test_a_missing_root_fails_the_order_and_not_file_by_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"source s: .*absent: No such file"):
        Place("s", tmp_path / "absent")


def test_a_file_that_gives_more_than_its_size_is_noted(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fstat

    def short(fd: int) -> os.stat_result:
        status = real(fd)
        return os.stat_result((*status[:6], 3, *status[7:]))

    monkeypatch.setattr("workers.sources.stream.os.fstat", short)
    extents = Extents.of([Extent(path=path, offset_bytes=0, size_bytes=3) for path in ("deep/z", "a.txt")])
    data, notes, _ = read_all(source, extents)
    assert (data, notes) == (b"zedalp", [(1, "changed", 3)])


def test_a_time_of_change_that_a_view_does_not_show_is_not_told(source: Path) -> None:
    extents = Extents.of([Extent(path="deep/er/b.bin", offset_bytes=255, size_bytes=5000)])
    states = replace(walked(source, extents), ctimes_ns=(1,))
    for kept_times, is_told in ((None, True), (KeptTimes(), False)):
        with (
            SourceFiles(Place("s", source)) as files,
            ExtentStream(files, extents, states, kept_times=kept_times, is_piece=True) as stream,
        ):
            read(stream, 5000)
        assert stream.file_state is not None
        assert (stream.file_state.ctime_ns is not None) == is_told
