"""The bytes of members, fetched unit by unit ahead of the archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

from msgspec.structs import replace

from kit.models.objects import number_of, stored_object
from producer.catalog.tables.objects import StoredObject
from producer.listing import Entry
from producer.restore.archive.ahead import Ahead
from producer.restore.archive.members import Member
from producer.restore.reading.fetches import Fetch, Fetches
from producer.restore.reading.ways import Piece
from tasks.errors import DamagedError

UNIT_BYTES = 100
ENTRY = Entry(
    index=0, source="data", path="", kind="file", mode=0o600, uid=0, gid=0, mtime_ns=0, ctime_ns=0, size_bytes=0
)


def byte_at(stored: StoredObject, offset_bytes: int) -> int:
    return (number_of(stored) * 31 + offset_bytes * 7 + 1) % 255 + 1


class Stored(Fetches):
    """Holds every segment in memory, but for the units that are ``lost`` and the devices that are ``absent``."""

    def __init__(self, lost: Sequence[tuple[int, int]] = (), absent: Sequence[str] = ()) -> None:
        self.lost, self.absent = lost, absent
        self.fetched: list[tuple[int, int, int]] = []
        self.read_count = 0
        self.most_ahead_count = 0

    def limit_bytes(self, piece: Piece) -> int:
        return 10**9

    def why_absent(self, piece: Piece) -> DamagedError | None:
        return DamagedError("away") if piece.object.device in self.absent else None

    def begin(self, piece: Piece) -> Fetch:
        start = piece.stream_offset_bytes
        self.fetched.append((number_of(piece.object), start, piece.size_bytes))
        self.most_ahead_count = max(self.most_ahead_count, len(self.fetched) - self.read_count)
        fetch = Fetch(piece=piece, done=True, error=self.why_absent(piece))
        if (number_of(piece.object), start // UNIT_BYTES) in self.lost:
            fetch.error = DamagedError("a bad unit")
        return fetch

    def wait(self, fetch: Fetch) -> None:
        assert fetch.done

    def read(self, fetch: Fetch) -> Iterator[bytes]:
        self.read_count += 1
        start, stop = fetch.piece.stream_offset_bytes, fetch.piece.stream_offset_bytes + fetch.piece.size_bytes
        for offset in range(start, stop, 33):
            yield bytes(byte_at(fetch.piece.object, at) for at in range(offset, min(offset + 33, stop)))


def member(path: str, size_bytes: int, *pieces: tuple[int, int, int, int], device: str = "d", why: str = "") -> Member:
    """Each piece: number of the segment, offset in its stream, offset in the file, size."""
    return Member(
        entry=replace(ENTRY, path=path, size_bytes=size_bytes),
        pieces=tuple(
            Piece(
                object=stored_object(number, device=device),
                stream_offset_bytes=stream_offset_bytes,
                offset_bytes=offset_bytes,
                size_bytes=piece_bytes,
            )
            for number, stream_offset_bytes, offset_bytes, piece_bytes in pieces
        ),
        why_lost=why,
    )


def expected_of(one: Member) -> bytes:
    content = bytearray(one.size_bytes)
    for piece in one.pieces:
        stream = range(piece.stream_offset_bytes, piece.stream_offset_bytes + piece.size_bytes)
        content[piece.offset_bytes : piece.stop_bytes] = bytes(byte_at(piece.object, at) for at in stream)
    return bytes(content)


def written(members: Sequence[Member], stored: Stored) -> dict[str, Any]:
    """Path → content; or why the member comes without any."""
    found: dict[str, Any] = {}
    for one, data in Ahead(members, cast(Fetches, stored), UNIT_BYTES):
        found[one.entry.path] = one.why_lost or (b"".join(data), data.why_lost)
    return found


def bundle(count: int, size_bytes: int) -> list[Member]:
    return [member(f"f{n}", size_bytes, (0, n * size_bytes, 0, size_bytes)) for n in range(count)]


def test_each_unit_of_a_bundle_is_fetched_once() -> None:
    members, stored = bundle(30, 30), Stored()

    found = written(members, stored)

    assert found == {one.entry.path: (expected_of(one), "") for one in members}
    assert stored.fetched == [(0, start, 100) for start in range(0, 900, 100)]


def test_only_a_few_units_are_fetched_ahead() -> None:
    stored = Stored()

    written([member("large", 10_000, (0, 0, 0, 10_000))], stored)

    assert len(stored.fetched) == 100
    assert stored.most_ahead_count <= 6


def test_what_no_piece_holds_is_zeros_and_empty_members_have_no_bytes() -> None:
    large = member("large", 500, (1, 0, 50, 100), (2, 40, 300, 120))
    folder = Member(entry=replace(ENTRY, path="folder", kind="directory"))

    found = written([folder, large, member("empty", 0)], Stored())

    assert found == {"folder": (b"", ""), "large": (expected_of(large), ""), "empty": (b"", "")}


def test_a_small_file_in_a_lost_unit_comes_without_bytes_and_the_others_are_whole() -> None:
    members = bundle(30, 30)

    found = written(members, Stored(lost=[(0, 2)]))

    lost = {path for path, what in found.items() if what == "a bad unit"}
    assert lost == {"f6", "f7", "f8", "f9"}
    whole = {one.entry.path: (expected_of(one), "") for one in members if one.entry.path not in lost}
    assert {path: what for path, what in found.items() if path not in lost} == whole


def test_what_is_lost_far_behind_the_beginning_of_a_file_is_zeros_and_named() -> None:
    large = member("large", 3000, (0, 0, 0, 3000))
    content = expected_of(large)

    found = written([large, *bundle(1, 30)], Stored(lost=[(0, 20), (0, 25)]))

    zeroed = content[:2000] + bytes(100) + content[2100:2500] + bytes(100) + content[2600:]
    assert found["large"] == (zeroed, "a bad unit")
    assert found["f0"][1] == ""


def test_files_of_an_absent_device_and_files_that_are_known_as_lost_come_without_bytes() -> None:
    members = [member("away", 30, (3, 0, 0, 30), device="gone"), member("known", 30, why="unread"), *bundle(2, 30)]

    found = written(members, Stored(absent=["gone"]))

    assert (found["away"], found["known"]) == ("away", "unread")
    assert found["f1"] == (expected_of(members[-1]), "")
