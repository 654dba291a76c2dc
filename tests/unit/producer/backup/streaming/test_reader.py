"""Reading a stream: how it is cut, and how its end is known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.deadlines import eventually
from producer.backup.streaming.command import opened
from producer.backup.streaming.reader import Piece, StreamReader
from producer.backup.streaming.spool import Spool, opened_spool, piece_name
from tasks.errors import StreamError, UsageError


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with opened_spool(tmp_path / "spool", 1000) as made:
        yield made


def ended(reader: StreamReader) -> bool:
    return eventually(lambda: reader.has_ended, "the stream has ended")


@pytest.mark.parametrize(("content", "sizes"), [(b"", []), (b"12345678", [4, 4]), (b"123456789", [4, 4, 1])])
def test_a_stream_is_cut_into_equal_segments(spool: Spool, content: bytes, sizes: list[int]) -> None:
    stream, writer = os.pipe()
    # In small writes: a segment is filled by several reads.
    for byte in content:
        os.write(writer, bytes([byte]))
    os.close(writer)
    with StreamReader(stream, spool, 4) as reader:
        assert ended(reader)
        pieces = reader.take()
    os.close(stream)
    assert pieces == [Piece(number=at, offset_bytes=4 * at, size_bytes=size) for at, size in enumerate(sizes)]
    assert b"".join((spool.folder / piece_name(piece.number)).read_bytes() for piece in pieces) == content


def test_a_silent_stream_does_not_keep_a_run_from_ending(spool: Spool) -> None:
    stream, writer = os.pipe()
    with StreamReader(stream, spool, 4) as reader:
        assert reader.take() == []
    assert reader.take() == []
    os.close(stream)
    os.close(writer)


def test_what_ends_the_reading_is_raised(spool: Spool, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with StreamReader(folder, spool, 4) as reader:
        assert ended(reader)
        with pytest.raises(StreamError, match="cannot read the stream: Is a directory"):
            reader.take()
    os.close(folder)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "the command sh ended with exit code 3"),
        ("kill -9 $$", "the command sh ended by signal 9"),
    ],
)
def test_a_command_that_fails_fails_the_stream(script: str, message: str) -> None:
    with opened(["sh", "-c", script]) as output, pytest.raises(StreamError, match=message):
        output.check_end(lambda: None)


def test_a_command_ends_with_the_run(tmp_path: Path) -> None:
    with opened(["sh", "-c", "echo $$; exec sleep 1000"]) as output:
        pid = int(os.read(output.descriptor, 100))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_command_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="cannot run no-such-program: No such file"), opened(["no-such-program"]):
        pass
