"""Blocks of segments between the run's thread and the threads that read files."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Thread
from typing import cast

import pytest

from kit.models.objects import number_of, stored_object
from producer.catalog.tables.objects import StoredObject
from producer.restore.mounted.blocks import BLOCK_BYTES, Blocks
from producer.restore.reading.fetches import Fetch, Fetches
from producer.restore.reading.ways import Piece
from tasks.errors import DamagedError

STREAM = bytes(number * 7 % 251 for number in range(4093)) * 2000


def row(number: int = 0, *, size_bytes: int = len(STREAM)) -> StoredObject:
    return stored_object(number, size_bytes=size_bytes)


def piece(offset_bytes: int, size_bytes: int, of: StoredObject | None = None) -> Piece:
    return Piece(object=of or row(), stream_offset_bytes=offset_bytes, offset_bytes=0, size_bytes=size_bytes)


class Stored(Fetches):
    """Answers at the next poll; ``lost`` are the numbers of segments whose device is gone."""

    def __init__(self) -> None:
        self.lost: set[int] = set()
        #: Where in every stream a byte is damaged.
        self.damaged_at: int | None = None
        self.begun: list[tuple[int, int, int]] = []
        self._waiting: list[Fetch] = []

    def begin(self, piece: Piece) -> Fetch:
        self.begun.append((number_of(piece.object), piece.stream_offset_bytes, piece.size_bytes))
        fetch = Fetch(piece=piece)
        self._waiting.append(fetch)
        return fetch

    def poll(self, timeout_s: float) -> list[Fetch]:
        done, self._waiting = self._waiting, []
        for fetch in done:
            fetch.done = True
            if number_of(fetch.piece.object) in self.lost:
                fetch.error = DamagedError("the device is gone")
            elif (
                self.damaged_at is not None
                and 0 <= self.damaged_at - fetch.piece.stream_offset_bytes < fetch.piece.size_bytes
            ):
                fetch.error = DamagedError("a damaged unit")
        return done

    def read(self, fetch: Fetch) -> Iterator[bytes]:
        start = fetch.piece.stream_offset_bytes
        yield STREAM[start : start + fetch.piece.size_bytes]


@contextmanager
def served(stored: Stored) -> Iterator[Blocks]:
    blocks, over = Blocks(), Event()
    thread = Thread(target=blocks.serve, args=(cast(Fetches, stored), over.is_set))
    thread.start()
    try:
        yield blocks
    finally:
        over.set()
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("offset_bytes", "size_bytes"),
    [(0, 1), (BLOCK_BYTES - 1, 2), (BLOCK_BYTES, BLOCK_BYTES), (5, 2 * BLOCK_BYTES), (len(STREAM) - 3, 3)],
)
def test_a_piece_is_what_is_stored_there(offset_bytes: int, size_bytes: int) -> None:
    with served(Stored()) as blocks:
        assert blocks.read(piece(offset_bytes, size_bytes)) == STREAM[offset_bytes : offset_bytes + size_bytes]


def test_a_block_ends_with_the_stream_of_its_object() -> None:
    stored, part = Stored(), row(size_bytes=300)

    with served(stored) as blocks:
        assert blocks.read(piece(150, 20, part)) == STREAM[150:170]

    assert stored.begun == [(0, 0, 300)]


def test_a_block_is_fetched_once_for_all_its_readers() -> None:
    stored = Stored()

    with served(stored) as blocks, ThreadPoolExecutor(8) as readers:
        wanted = [piece(offset, 1000) for offset in range(0, BLOCK_BYTES - 1000, 1000)]
        found = list(readers.map(blocks.read, wanted))

    assert b"".join(found) == STREAM[: len(found) * 1000]
    assert stored.begun == [(0, 0, BLOCK_BYTES)]


def test_blocks_are_fetched_ahead_of_who_reads_in_order_and_of_nobody_else() -> None:
    stored = Stored()

    with served(stored) as blocks:
        blocks.read(piece(5 * BLOCK_BYTES, 10))
        assert len(stored.begun) == 1
        blocks.read(piece(6 * BLOCK_BYTES, 10))
        blocks.read(piece(7 * BLOCK_BYTES, 10))

    assert (0, 7 * BLOCK_BYTES, len(STREAM) - 7 * BLOCK_BYTES) in stored.begun
    assert len(stored.begun) == 3


def test_a_lost_block_fails_its_readers_alone_and_is_tried_again() -> None:
    stored = Stored()
    stored.lost = {1}

    with served(stored) as blocks:
        with pytest.raises(DamagedError, match="gone"):
            blocks.read(piece(0, 10, row(1)))
        assert blocks.read(piece(0, 10, row(2))) == STREAM[:10]
        stored.lost = set()
        assert blocks.read(piece(0, 10, row(1))) == STREAM[:10]


def test_damage_costs_only_the_pieces_that_hold_it() -> None:
    stored = Stored()
    stored.damaged_at = 500_000

    with served(stored) as blocks:
        assert blocks.read(piece(499_000, 1000)) == STREAM[499_000:500_000]
        with pytest.raises(DamagedError, match="a damaged unit"):
            blocks.read(piece(499_000, 1001))


def test_whoever_waits_at_the_end_gets_an_error() -> None:
    with served(Stored()) as blocks:
        pass

    with pytest.raises(DamagedError, match="unmounted"):
        blocks.read(piece(0, 10))
