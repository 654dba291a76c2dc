"""The spool: how much it holds, what leaves it when, and who cleans up behind a run that was killed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.deadlines import DEADLINE_S, eventually
from producer.backup.streaming.origin import MIN_SEGMENT_BYTES, Origin, segment_bytes_of
from producer.backup.streaming.spool import Spool, SpoolClosedError, opened_spool, piece_name
from tasks.errors import StreamError


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with opened_spool(tmp_path / "spool", 30) as made:
        yield made


def put(spool: Spool, number: int, size_bytes: int = 10) -> None:
    with spool.begin(number, 10) as file:
        file.write(bytes(size_bytes))
    spool.finish(number, size_bytes)


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.glob("*.part"))


def test_what_is_recorded_stays_until_its_room_is_needed(spool: Spool) -> None:
    for number in range(3):
        put(spool, number)
    spool.record(1)
    spool.record(0)
    assert (len(names(spool)), spool.unrecorded(), spool.removed()) == (3, [2], set())

    put(spool, 3)
    assert names(spool) == [piece_name(0), piece_name(2), piece_name(3)]
    assert (spool.unrecorded(), spool.removed()) == ([2, 3], {1})


def test_what_is_to_be_stored_again_stays(spool: Spool) -> None:
    for number in range(3):
        put(spool, number)
        spool.record(number)
    put(spool, 3)
    assert spool.take_back([0, 1, 7]) == {1}
    put(spool, 4)
    assert names(spool) == [piece_name(1), piece_name(3), piece_name(4)]


def test_a_full_spool_makes_the_stream_wait_until_something_is_recorded(spool: Spool) -> None:
    for number in range(3):
        put(spool, number)
    waiting = threading.Thread(target=put, args=(spool, 3))
    waiting.start()
    eventually(lambda: spool.is_full, "the stream waits")
    spool.record(0)
    waiting.join(DEADLINE_S)
    assert (names(spool)[-1], spool.is_full) == (piece_name(3), False)


def test_the_last_segment_takes_the_room_that_it_has(spool: Spool) -> None:
    put(spool, 0, size_bytes=1)
    put(spool, 1, size_bytes=9)
    put(spool, 2)
    put(spool, 3)
    assert len(names(spool)) == 4


def test_the_end_of_a_run_ends_the_wait(spool: Spool) -> None:
    spool.close()
    with pytest.raises(SpoolClosedError):
        spool.begin(0, 10)


def test_a_spool_that_cannot_be_written_is_named(spool: Spool) -> None:
    spool.folder.rename(spool.folder.with_name("elsewhere"))
    with pytest.raises(StreamError, match=f"cannot write the spool {spool.folder.parent}: No such file"):
        spool.begin(0, 10)


def test_a_run_removes_its_own_and_what_a_killed_one_has_left(tmp_path: Path) -> None:
    stale = tmp_path / "spool" / "stream-0"
    stale.mkdir(parents=True, mode=0o700)
    stale.parent.chmod(0o700)
    (stale / "lock").touch()
    (stale / piece_name(0)).write_bytes(b"data")
    with opened_spool(stale.parent, 30) as one, opened_spool(stale.parent, 30) as other:
        put(one, 0)
        assert sorted(stale.parent.glob("stream-*")) == sorted([one.folder, other.folder])
    assert [path.name for path in stale.parent.iterdir()] == ["lock"]


def test_a_spool_has_room_for_three_segments_of_each_device_and_for_two_at_least() -> None:
    usual = Origin(command=(), spool=Path("/spool"), spool_bytes=None)
    assert (usual.room_bytes(10, 1), usual.room_bytes(10, 4)) == (30, 120)
    asked = Origin(command=(), spool=Path("/spool"), spool_bytes=15)
    assert (asked.room_bytes(10, 4), asked.room_bytes(4, 4)) == (20, 15)
    assert (segment_bytes_of(4096), segment_bytes_of(2**28)) == (MIN_SEGMENT_BYTES, 2**28)
