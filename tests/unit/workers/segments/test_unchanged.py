"""Orders that know what extents held in an earlier backup: what still holds it is not stored again."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from tasks.digests import NO_DIGEST, content_digest
from tasks.orders import StoreSegment
from tasks.raw import RawReading
from tasks.receipts import StoreResult
from tasks.sources.states import WalkedStates, pack_states
from tasks.values import Extent, Extents
from workers.devices.keys import object_key
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker
from workers.format.reader import SegmentReader
from workers.segments.store import store_segment

OBJECT_ID = "5e" * 16
DEVICE_ID = "d" * 32

FILES = {name: random.Random(name).randbytes(size) for name, size in {"a": 7, "b": 150_000, "c": 40_000}.items()}
SAME = [content_digest(data) for data in FILES.values()]
BUNDLE = Extents.of([Extent(path=path, offset_bytes=0, size_bytes=len(data)) for path, data in FILES.items()])
#: File b by parts.
PARTS = Extents.of([Extent(path="b", offset_bytes=start, size_bytes=50_000) for start in (0, 50_000, 100_000)])
SAME_PARTS = [content_digest(FILES["b"][start : start + 50_000]) for start in (0, 50_000, 100_000)]


class Progress:
    bytes_count = 0

    def add(self, bytes_count: int) -> None:
        self.bytes_count += bytes_count

    def beat(self) -> None: ...


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    for path, data in FILES.items():
        (root / path).write_bytes(data)
    return root


@pytest.fixture
def device(tmp_path: Path) -> LocalDevice:
    (tmp_path / "device").mkdir()
    device = LocalDevice("a", tmp_path / "device")
    device.write_marker(Marker(format_version=1, device_id=DEVICE_ID, name="a", pool_id="e" * 32, created=""))
    device.claim(DEVICE_ID)
    return device


def order(
    known: Sequence[bytes], extents: Extents = BUNDLE, *, is_piece: bool = False, states: str = ""
) -> StoreSegment:
    return StoreSegment(
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
        extents=extents,
        threshold_bytes=10**6,
        unit_bytes=64 * 1024,
        block_bytes=64 * 1024,
        level=3,
        threads=2,
        states=states,
        is_piece=is_piece,
        known_digests=b"".join(known),
    )


def store(device: LocalDevice, source: Path, order: StoreSegment, progress: Progress | None = None) -> StoreResult:
    return store_segment(order, device=device, source_root=source, progress=progress or Progress())


def held(device: LocalDevice) -> dict[tuple[str, int], bytes] | None:
    """What the segment holds: (path, offset) → content; None if there is no segment."""
    stored = device.open(object_key(OBJECT_ID))
    if stored is None:
        return None
    with stored:
        reader = SegmentReader(stored.read, stored.size_bytes)
        stream = b"".join(reader.read_unit(index) for index in range(len(reader.units)))
    found = {}
    for extent in reader.header.extents:
        found[extent.path, extent.offset_bytes], stream = stream[: extent.size_bytes], stream[extent.size_bytes :]
    return found


def walked(root: Path, extents: Extents) -> WalkedStates:
    statuses = [(root / path).stat() for path in extents.paths]
    return WalkedStates(
        mtimes_ns=[status.st_mtime_ns for status in statuses],
        ctimes_ns=[status.st_ctime_ns for status in statuses],
        modes=[status.st_mode & 0o7777 for status in statuses],
        uids=[status.st_uid for status in statuses],
        gids=[status.st_gid for status in statuses],
    )


def test_only_what_differs_or_is_not_known_is_stored(device: LocalDevice, source: Path) -> None:
    progress = Progress()
    result = store(device, source, order([SAME[0], content_digest(b"another content"), NO_DIGEST]), progress)
    assert held(device) == {("b", 0): FILES["b"], ("c", 0): FILES["c"]}
    assert result.unchanged == (0,)
    assert (result.bytes_source, progress.bytes_count) == (190_000, 190_007)
    assert (result.extent_digests, result.notes) == (b"".join(SAME), ())


def test_nothing_is_stored_when_nothing_differs(device: LocalDevice, source: Path) -> None:
    progress = Progress()
    result = store(device, source, order(SAME), progress)
    assert held(device) is None
    assert (result.unchanged, result.trailer_digest, result.extent_digests) == ((0, 1, 2), "", b"".join(SAME))
    assert (result.bytes_source, result.bytes_stored, result.units_count, result.found) == (0, 0, 0, False)
    assert progress.bytes_count == 190_007


def test_notes_name_extents_of_the_order(device: LocalDevice, source: Path) -> None:
    (source / "b").unlink()
    result = store(device, source, order(SAME))
    assert [(note.index, note.trouble) for note in result.notes] == [(1, "vanished")]
    assert held(device) == {("b", 0): bytes(150_000)}
    assert result.unchanged == (0, 2)
    assert result.extent_digests == SAME[0] + NO_DIGEST + SAME[2]


@pytest.mark.parametrize("content", [FILES["a"] + b"more", FILES["a"][:-1]])
def test_a_file_of_another_size_is_stored_and_noted(device: LocalDevice, source: Path, content: bytes) -> None:
    (source / "a").write_bytes(content)
    result = store(device, source, order(SAME))
    assert [(note.index, note.trouble) for note in result.notes] == [(0, "changed")]
    assert result.unchanged == (1, 2)


def test_an_equal_file_that_was_replaced_after_the_walk_is_stored_and_noted(device: LocalDevice, source: Path) -> None:
    states = pack_states(walked(source, BUNDLE))
    os.utime(source / "c", ns=(10**18, 10**18))
    result = store(device, source, order(SAME, states=states))
    assert [(note.index, note.trouble) for note in result.notes] == [(2, "changed")]
    assert (result.unchanged, held(device)) == ((0, 1), {("c", 0): FILES["c"]})


def test_a_second_delivery_says_what_the_first_has_stored_whatever_the_files_hold_now(
    device: LocalDevice, source: Path
) -> None:
    known = [*SAME[:2], content_digest(b"another content")]
    first = store(device, source, order(known))
    (source / "a").write_bytes(b"another")
    (source / "c").unlink()
    second = store(device, source, order(known))
    assert second == replace(first, found=True, free_bytes=second.free_bytes, timing=second.timing)


def test_a_segment_that_lacks_an_extent_of_unknown_digest_is_stored_anew(device: LocalDevice, source: Path) -> None:
    store(device, source, order([*SAME[:2], NO_DIGEST]))
    result = store(device, source, order([SAME[0], NO_DIGEST, NO_DIGEST]))
    assert not result.found
    assert held(device) == {("b", 0): FILES["b"], ("c", 0): FILES["c"]}


def test_a_whole_segment_serves_an_order_that_knows_more(device: LocalDevice, source: Path) -> None:
    first = store(device, source, order([]))
    again = store(device, source, order(SAME))
    assert (again.found, again.unchanged, again.trailer_digest) == (True, (), first.trailer_digest)


def test_parts_of_a_file_with_holes_are_no_whole_files_though_others_are_left_out(
    device: LocalDevice, source: Path
) -> None:
    parts = [Extent(path="b", offset_bytes=start, size_bytes=1000) for start in (0, 90_000)]
    extents = Extents.of([Extent(path="a", offset_bytes=0, size_bytes=7), *parts])
    known = [SAME[0], NO_DIGEST, content_digest(b"another content")]
    result = store(device, source, replace(order(known, extents), sparse=(1, 2)))
    assert held(device) == {("b", start): FILES["b"][start : start + 1000] for start in (0, 90_000)}
    assert (result.unchanged, result.notes, result.file_state) == ((0,), (), None)


def test_of_a_file_in_parts_only_those_that_differ_are_stored(device: LocalDevice, source: Path) -> None:
    with (source / "b").open("r+b") as file:
        file.seek(70_000)
        file.write(b"new")
    result = store(device, source, order(SAME_PARTS, PARTS, is_piece=True))
    now = (source / "b").read_bytes()
    assert held(device) == {("b", 50_000): now[50_000:100_000]}
    assert (result.unchanged, result.notes) == ((0, 2), ())
    assert result.file_state is not None
    assert result.file_state.mtime_ns == (source / "b").stat().st_mtime_ns


def test_an_unchanged_file_in_parts_has_its_state_in_the_receipt(device: LocalDevice, source: Path) -> None:
    result = store(device, source, order(SAME_PARTS, PARTS, is_piece=True))
    assert (result.unchanged, held(device)) == ((0, 1, 2), None)
    assert result.file_state is not None
    assert result.file_state.size_bytes == 150_000


def test_a_file_that_is_written_between_comparing_and_storing_is_noted(device: LocalDevice, source: Path) -> None:
    class Writes(Progress):
        def add(self, bytes_count: int) -> None:
            if not self.bytes_count:
                (source / "b").write_bytes(bytes(150_000))
                os.utime(source / "b", ns=(1, 1))
            super().add(bytes_count)

    known = [*SAME_PARTS[:2], content_digest(b"another content")]
    result = store(device, source, order(known, PARTS, is_piece=True), Writes())
    assert [(note.index, note.trouble) for note in result.notes] == [(2, "changed")]
    assert result.unchanged == (0, 1)
    again = store(device, source, order(known, PARTS, is_piece=True))
    assert (again.notes, again.file_state) == (result.notes, result.file_state)


@pytest.mark.parametrize(
    "wrong",
    [
        {"known_digests": SAME[0]},
        {"raw": RawReading(), "extents": BUNDLE.of([Extent(path="", offset_bytes=0, size_bytes=5)])},
        {"is_piece": True},
    ],
    ids=["of fewer extents", "of a raw volume", "of several files as one"],
)
def test_orders_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"known digests|one file"):
        replace(order(SAME), **wrong)
