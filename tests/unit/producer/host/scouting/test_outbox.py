"""Reports of a scout whose reader is busy."""

from __future__ import annotations

import marshal
import os
import struct
import threading
from collections.abc import Iterator

import pytest

from kit.deadlines import DEADLINE_S, eventually
from producer.host.scouting.outbox import Outbox

#: More than any pipe holds.
LARGE = b"x" * 3_000_000


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Where it is read, and where it is written."""
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        os.close(end)


def read_reports(reading: int, count: int) -> list[object]:
    with os.fdopen(os.dup(reading), "rb") as file:
        return [marshal.loads(file.read(struct.unpack("<Q", file.read(8))[0])) for _ in range(count)]


def test_what_nobody_reads_yet_is_kept_and_comes_in_order(ends: tuple[int, int]) -> None:
    outbox = Outbox(ends[1])
    outbox.send("found", LARGE)
    outbox.send("found", 2)

    last = threading.Thread(target=outbox.send_last, args=("end", None))
    last.start()

    assert read_reports(ends[0], 3) == [("found", LARGE), ("found", 2), ("end", None)]
    last.join(DEADLINE_S)
    assert not last.is_alive()


def test_what_is_kept_goes_on_its_way_once_there_is_room(ends: tuple[int, int]) -> None:
    outbox = Outbox(ends[1])
    outbox.send("found", LARGE)
    read: list[object] = []
    reader = threading.Thread(target=lambda: read.extend(read_reports(ends[0], 1)))
    reader.start()

    def is_read() -> bool:
        outbox.send_kept()
        return bool(read)

    eventually(is_read, "what was kept is read, though nothing more is sent")
    reader.join(DEADLINE_S)


def test_it_waits_for_its_reader_when_it_would_keep_too_much(ends: tuple[int, int]) -> None:
    outbox = Outbox(ends[1], keeps_bytes=1000)
    sent: list[int] = []

    def send_all() -> None:
        for number in range(2):
            outbox.send("found", LARGE)
            sent.append(number)

    sending = threading.Thread(target=send_all)
    sending.start()
    with os.fdopen(os.dup(ends[0]), "rb") as file:
        assert file.read(1000)
        assert sent == []
        while sending.is_alive():
            os.set_blocking(file.fileno(), False)
            file.read()
    assert sent == [0, 1]


def test_a_reader_that_is_gone_ends_it() -> None:
    reading, writing = os.pipe()
    outbox = Outbox(writing)
    outbox.send("found", LARGE)
    os.close(reading)

    with pytest.raises(BrokenPipeError):
        outbox.send_last("end", None)
    os.close(writing)
