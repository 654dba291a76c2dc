"""Storing a segment on a local device: what is there afterwards, and what is not."""

import random
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from msgspec.structs import fields, replace

from tasks.digests import CELL_BYTES, content_digest
from tasks.errors import DeviceFullError, MessageError, SourceError
from tasks.orders import StoreSegment
from tasks.receipts import StoreResult
from tasks.values import Extent, Extents, SourcePlace
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.local.objects import LocalUpload
from workers.devices.marker import Marker
from workers.devices.trouble import UnreadableError
from workers.format.reader import SegmentReader
from workers.segments.store import store_segment

OBJECT_ID = "5e" * 16
DEVICE_ID = "d" * 32
UNIT_BYTES = 64 * 1024

FILES = {name: random.Random(name).randbytes(size) for name, size in {"a": 7, "b": 150_000, "c/d": 40_000}.items()}


class Counter:
    bytes_count = 0

    def add(self, bytes_count: int) -> None:
        self.bytes_count += bytes_count

    def beat(self) -> None: ...


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for path, data in FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "device"
    folder.mkdir()
    return folder


@pytest.fixture
def device(folder: Path) -> LocalDevice:
    device = LocalDevice("a", folder)
    device.write_marker(Marker(format_version=1, device_id=DEVICE_ID, name="a", pool_id="e" * 32, created=""))
    device.claim(DEVICE_ID)
    return device


ORDER = StoreSegment(
    run_id="0" * 32,
    order_id="7" * 32,
    device="a",
    device_id=DEVICE_ID,
    epoch=0,
    attempt=1,
    reply_to="manager.local",
    segment_id="7" * 32,
    object_id=OBJECT_ID,
    snapshot_id="1" * 32,
    volume="home",
    number=3,
    source="source",
    extents=Extents.of([Extent(path=path, offset_bytes=0, size_bytes=len(data)) for path, data in FILES.items()]),
    threshold_bytes=10**6,
    unit_bytes=UNIT_BYTES,
    block_bytes=64 * 1024,
    level=3,
    threads=2,
)


def store(device: LocalDevice, source: Path, order: StoreSegment = ORDER, **more: Any) -> StoreResult:
    return store_segment(order, device=device, source_root=source, progress=Counter(), **more)


def stored_file(folder: Path) -> Path:
    return folder / object_key(OBJECT_ID)


def content(folder: Path) -> bytes:
    with stored_file(folder).open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()


def temporary_files(folder: Path) -> list[Path]:
    return list(folder.rglob("*.tmp"))


def test_a_bundle_is_stored_as_one_segment_of_units(device: LocalDevice, folder: Path, source: Path) -> None:
    counter = Counter()
    result = store_segment(ORDER, device=device, source_root=source, progress=counter)
    assert content(folder) == b"".join(FILES.values())
    assert result.bytes_source == counter.bytes_count == 190_007
    assert result.bytes_stored == stored_file(folder).stat().st_size
    assert (result.units_count, result.notes, result.file_state, result.found) == (3, (), None, False)
    assert result.free_bytes > 0
    assert temporary_files(folder) == []


def test_a_message_that_comes_twice_finds_its_own_object_and_another_try_stores_one_of_its_own(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    first = store(device, source)
    (source / "b").write_bytes(bytes(150_000))

    again = store(device, source)
    other = store(device, source, replace(ORDER, object_id="0b" * 16))

    assert (again.found, other.found) == (True, False)
    assert again.trailer_digest == first.trailer_digest != other.trailer_digest
    assert {path.stem for path in folder.rglob("*.seg")} == {OBJECT_ID, "0b" * 16}


def test_an_object_names_no_device_so_that_a_copy_may_be_the_same_bytes(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    store(device, source)
    first = stored_file(folder).read_bytes()
    stored_file(folder).unlink()

    store(device, source, replace(ORDER, device="b", device_id="0d" * 16, epoch=7))

    assert stored_file(folder).read_bytes() == first


def test_the_header_says_what_the_order_said(device: LocalDevice, folder: Path, source: Path) -> None:
    store(device, source)
    stored = device.open(object_key(OBJECT_ID))
    assert stored is not None
    with stored:
        header = SegmentReader(stored.read, stored.size_bytes).header
    same = {field.name for field in fields(header)} - {"ranges"}
    assert header.ranges == ((0, 190_007),)
    assert {name: getattr(header, name) for name in same} == {name: getattr(ORDER, name) for name in same}


def test_a_source_below_the_configured_one_is_stored_as_if_it_were_configured(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    whole = replace(
        ORDER, extents=Extents.of([Extent(path="d", offset_bytes=0, size_bytes=40_000)]), object_id="1" * 32
    )
    below = replace(whole, within=SourcePlace(source="configured", path="source/c"), device_id=ORDER.device_id)
    store(device, source / "c", whole)
    as_configured = (folder / object_key("1" * 32)).read_bytes()
    (folder / object_key("1" * 32)).unlink()

    store(device, source.parent, below)

    assert (folder / object_key("1" * 32)).read_bytes() == as_configured


def test_a_piece_of_a_file_is_stored_with_the_state_of_the_file(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    piece = Extents.of([Extent(path="b", offset_bytes=100, size_bytes=100_000)])
    result = store(device, source, replace(ORDER, extents=piece))
    assert content(folder) == FILES["b"][100:100_100]
    assert result.file_state is not None
    assert result.file_state.size_bytes == 150_000


def test_a_file_that_vanishes_is_recorded_and_the_backup_goes_on(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    (source / "b").unlink()
    result = store(device, source)
    assert [(note.index, note.trouble) for note in result.notes] == [(1, "vanished")]
    assert content(folder) == FILES["a"] + bytes(150_000) + FILES["c/d"]


def test_a_second_delivery_finds_the_segment_and_writes_nothing(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    (source / "a").unlink()
    first = store(device, source)
    before = stored_file(folder).stat()
    second = store(device, source)
    after = stored_file(folder).stat()
    assert (second.found, second.notes, second.bytes_stored) == (True, first.notes, first.bytes_stored)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_the_receipt_says_the_digests_that_the_trailer_holds_also_when_the_segment_was_there(
    device: LocalDevice, folder: Path, source: Path
) -> None:
    (source / "large").write_bytes(large := random.Random(0).randbytes(CELL_BYTES + 5))
    size_bytes = {**{path: len(data) for path, data in FILES.items()}, "large": len(large)}
    rows = [Extent(path=path, offset_bytes=0, size_bytes=size) for path, size in size_bytes.items()]
    order = replace(ORDER, extents=Extents.of(rows))
    cells = content_digest(large[:CELL_BYTES]) + content_digest(large[CELL_BYTES:])
    expected = (b"".join(map(content_digest, FILES.values())) + content_digest(cells), cells)

    first = store(device, source, order)
    (source / "a").write_bytes(b"another")
    second = store(device, source, order)

    stored = device.open(object_key(OBJECT_ID))
    assert stored is not None
    with stored:
        trailer = SegmentReader(stored.read, stored.size_bytes).trailer
    assert [(said.extent_digests, said.cell_digests) for said in (first, second, trailer)] == 3 * [expected]


def test_a_second_delivery_needs_no_source(device: LocalDevice, source: Path) -> None:
    store(device, source)
    source.rename(source.with_name("gone"))
    assert store(device, source).found


@pytest.mark.parametrize("place", ["header", "unit", "end"])
def test_a_damaged_segment_is_stored_again(device: LocalDevice, folder: Path, source: Path, place: str) -> None:
    size_bytes = store(device, source).bytes_stored
    with stored_file(folder).open("r+b") as file:
        file.seek({"header": 20, "unit": 100_000, "end": size_bytes - 5}[place])
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    assert not store(device, source).found
    assert content(folder) == b"".join(FILES.values())
    assert store(device, source).found


def test_a_segment_with_a_bad_sector_is_stored_again(
    device: LocalDevice, folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(device, source)
    real_open, bad = device.open, [True]

    class BadSector:
        def __init__(self, inner: Any) -> None:
            self.inner, self.size_bytes = inner, inner.size_bytes

        def __enter__(self) -> "BadSector":
            return self

        def __exit__(self, *exc_info: object) -> None:
            self.inner.__exit__(*exc_info)

        def read(self, offset_bytes: int, size_bytes: int) -> bytes:
            raise UnreadableError("a", Path("x"), OSError(5, "Input/output error"))

    def open_once(key: str) -> object:
        return BadSector(real_open(key)) if bad and bad.pop() else real_open(key)

    monkeypatch.setattr(device, "open", open_once)
    assert not store(device, source).found


def test_what_is_no_file_in_the_segments_place_is_stored_over(device: LocalDevice, folder: Path, source: Path) -> None:
    path = folder / object_key(ORDER.object_id)
    path.parent.mkdir(parents=True)
    path.symlink_to("elsewhere")
    assert not store(device, source).found
    assert store(device, source).found


def test_another_content_under_the_same_id_is_replaced(device: LocalDevice, folder: Path, source: Path) -> None:
    store(device, source)
    other = replace(ORDER, extents=Extents.of([Extent(path="a", offset_bytes=0, size_bytes=7)]))
    assert not store(device, source, other).found
    assert content(folder) == FILES["a"]


def test_a_full_device_keeps_nothing_of_the_segment(
    device: LocalDevice, folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, written = LocalUpload.write, []

    def write(upload: LocalUpload, buffer: bytes) -> None:
        written.append(len(buffer))
        if len(written) == 3:
            raise DeviceFullError("device a is full")
        real_write(upload, buffer)

    monkeypatch.setattr(LocalUpload, "write", write)
    with pytest.raises(DeviceFullError):
        store(device, source)
    assert (list(device.list("segments")), temporary_files(folder)) == ([], [])


def test_a_worker_that_was_fenced_meanwhile_commits_nothing(device: LocalDevice, folder: Path, source: Path) -> None:
    def fenced() -> None:
        raise MessageError("a later epoch")

    with pytest.raises(MessageError):
        store(device, source, before_commit=fenced)
    assert (list(device.list("segments")), temporary_files(folder)) == ([], [])


def test_a_missing_source_fails_the_order_and_writes_nothing(device: LocalDevice, folder: Path) -> None:
    with pytest.raises(SourceError):
        store(device, folder / "absent")
    assert [path.name for path in folder.iterdir()] == ["segfleet.json"]


def test_a_small_segment_is_stored_as_a_large_one_is_and_without_threads(
    device: LocalDevice, folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: threading.Thread) -> None:
        raise AssertionError(f"{self.name} is started")

    monkeypatch.setattr(threading.Thread, "start", start)
    small = replace(ORDER, unit_bytes=256 * 1024, block_bytes=1024)
    result = store_segment(small, device=device, source_root=source, progress=Counter())
    assert content(folder) == b"".join(FILES.values())
    assert (result.units_count, result.bytes_source) == (1, 190_007)
    assert store_segment(small, device=device, source_root=source, progress=Counter()).found
