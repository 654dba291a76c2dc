"""Any M pieces of a group may be lost or damaged: every member comes back, byte for byte, and one more is refused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from operator import xor
from pathlib import Path

import pytest
from blake3 import blake3
from msgspec.structs import replace

from tasks.errors import DamagedError
from tasks.groups import GroupMember
from tasks.orders import StoreSegment
from tasks.orders.copying import CopyObject
from tasks.orders.parity import MakeParity
from tasks.values import Extent, Extents
from workers.devices.keys import object_key, parity_key
from workers.devices.local.device import LocalDevice
from workers.devices.marker import Marker
from workers.format.stored_bytes import StoredBytes
from workers.parity import making, rebuilt
from workers.parity.code import Code
from workers.parity.directory import encode_directory, read_directory
from workers.parity.group_device import GroupDevice
from workers.parity.making import make_parity
from workers.parity.rebuilt import RebuiltObject
from workers.segments.copy import copy_object
from workers.segments.store import store_segment

GROUP_ID = "9a" * 16
#: Of the files, which zstd cannot compress: one is longer than a stripe of the tests, one is tiny.
SIZES_BYTES = (150_000, 90_000, 300)
STRIPE_BYTES = 64 * 1024


class Progress:
    def add(self, bytes_count: int) -> None: ...

    def beat(self) -> None: ...


def multiply(a: int, b: int) -> int:
    """In GF(2^8) with the polynomial 0x11d."""
    product = 0
    while b:
        product ^= a * (b & 1)
        a = (a << 1) ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


INVERSES = {a: next(b for b in range(1, 256) if multiply(a, b) == 1) for a in range(1, 256)}


@pytest.mark.parametrize(("members_count", "rows_count"), [(1, 1), (1, 2), (3, 1), (5, 3), (28, 4)])
def test_the_rows_are_those_of_the_matrix_in_the_documentation(members_count: int, rows_count: int) -> None:
    pieces = [bytes((17 * place + 5 * at + at * at) % 256 for at in range(33)) for place in range(members_count)]

    expected = [
        bytes(
            reduce(xor, (multiply(INVERSES[(members_count + row) ^ j], pieces[j][at]) for j in range(members_count)))
            for at in range(33)
        )
        for row in range(rows_count)
    ]

    assert Code(members_count, rows_count).rows(pieces) == expected


@pytest.mark.parametrize(("members_count", "rows_count"), [(1, 1), (1, 2), (2, 1), (3, 2), (4, 3)])
def test_every_piece_follows_from_any_others_that_are_enough(members_count: int, rows_count: int) -> None:
    code = Code(members_count, rows_count)
    members = [bytes((31 * place + at) % 251 for at in range(77)) for place in range(members_count)]
    pieces = [*members, *code.rows(members)]

    for lost in combinations(range(len(pieces)), rows_count):
        others = {place: data for place, data in enumerate(pieces) if place not in lost}
        assert [code.piece(place, others) for place in lost] == [pieces[place] for place in lost]


class Pool:
    """Three objects on devices a, b, c, and their parity, of which the rows lie on d and e."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.devices = {name: self._device(name) for name in "abcde"}
        self.members = tuple(self._store(*pair) for pair in zip("abc", SIZES_BYTES, strict=True))
        self.contents = [self.file(place).read_bytes() for place in range(3)]

    def _device(self, name: str) -> LocalDevice:
        (self.path / name).mkdir()
        device = LocalDevice(name, self.path / name)
        device.write_marker(Marker(format_version=1, device_id=name * 32, name=name, pool_id="e" * 32, created=""))
        device.claim(name * 32)
        return device

    def _store(self, name: str, size_bytes: int) -> GroupMember:
        seed = (ord(name) * 7919).to_bytes(4, "big")
        (self.path / f"{name}.file").write_bytes(blake3(seed).digest(length=size_bytes))
        order = StoreSegment(
            run_id="0" * 32,
            order_id="7" * 32,
            device=name,
            device_id=name * 32,
            epoch=0,
            attempt=1,
            reply_to="manager.local",
            segment_id=name * 32,
            object_id=f"{name}5" * 16,
            snapshot_id="1" * 32,
            volume="home",
            number=3,
            source="source",
            extents=Extents.of([Extent(path=f"{name}.file", offset_bytes=0, size_bytes=size_bytes)]),
            threshold_bytes=10**6,
            unit_bytes=64 * 1024,
            block_bytes=64 * 1024,
            level=3,
            threads=1,
        )
        result = store_segment(order, device=self.devices[name], source_root=self.path, progress=Progress())
        return GroupMember(
            object_id=order.object_id, stored_bytes=result.bytes_stored, trailer_digest=result.trailer_digest
        )

    def order(self, row: int, rows_count: int = 2) -> MakeParity:
        return MakeParity(
            run_id="0" * 32,
            epoch=0,
            attempt=1,
            reply_to="manager.local",
            order_id="8" * 32,
            device="de"[row],
            device_id="de"[row] * 32,
            group_id=GROUP_ID,
            row=row,
            rows_count=rows_count,
            members=self.members,
            devices=(),
        )

    def make(self, row: int) -> str:
        """Write a row; returns its digest."""
        order = self.order(row)
        return make_parity(
            order,
            device=self.devices[order.device],
            origins=list(self.devices.values()),
            progress=Progress(),
            before_commit=lambda: None,
        ).digest

    def file(self, place: int) -> Path:
        """Of a member, then of a row."""
        if place < 3:
            return self.path / "abc"[place] / object_key(self.members[place].object_id)
        return self.path / "de"[place - 3] / parity_key(GROUP_ID)

    def rebuilt(self, place: int) -> bytes:
        devices = list(self.devices.values())
        with RebuiltObject(GROUP_ID, self.members[place].object_id, devices) as found:
            return found.read(0, found.size_bytes)


def flip(path: Path, *offsets: int) -> None:
    data = bytearray(path.read_bytes())
    for offset in offsets:
        data[offset] ^= 0x55
    path.write_bytes(data)


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    for module in (making, rebuilt):
        monkeypatch.setattr(module, "STRIPE_BYTES", STRIPE_BYTES)
    monkeypatch.setattr("workers.parity.directory.STRIPE_BYTES", STRIPE_BYTES)
    pool = Pool(tmp_path)
    for row in range(2):
        pool.make(row)
    return pool


@pytest.mark.parametrize("lost", list(combinations(range(5), 2)))
def test_members_come_back_whichever_two_files_are_lost(pool: Pool, lost: Sequence[int]) -> None:
    for place in lost:
        pool.file(place).unlink()

    gone = [place for place in lost if place < 3]
    assert [pool.rebuilt(place) for place in gone] == [pool.contents[place] for place in gone]


@pytest.mark.parametrize("lost", [(0, 1, 2), (0, 1, 3), (0, 3, 4)])
def test_with_three_files_lost_nothing_is_made_up(pool: Pool, lost: Sequence[int]) -> None:
    for place in lost:
        pool.file(place).unlink()

    with pytest.raises(DamagedError):
        pool.rebuilt(0)


def test_damage_at_different_places_of_all_files_loses_nothing(pool: Pool) -> None:
    flip(pool.file(0), 100)
    flip(pool.file(1), STRIPE_BYTES + 50)
    flip(pool.file(3), 2 * STRIPE_BYTES + 5)

    assert [pool.rebuilt(place) for place in range(3)] == pool.contents


def test_damage_in_one_stripe_of_two_files_loses_nothing(pool: Pool) -> None:
    flip(pool.file(0), 10, STRIPE_BYTES + 10)
    flip(pool.file(1), 20, STRIPE_BYTES + 20)

    assert [pool.rebuilt(place) for place in range(3)] == pool.contents


def test_damage_in_one_stripe_of_three_files_is_refused_there_alone(pool: Pool) -> None:
    for place in (0, 1, 3):
        flip(pool.file(place), 10)

    with RebuiltObject(GROUP_ID, pool.members[0].object_id, list(pool.devices.values())) as found:
        with pytest.raises(DamagedError):
            found.read(0, 20)
        assert found.read(STRIPE_BYTES, 1000) == pool.contents[0][STRIPE_BYTES : STRIPE_BYTES + 1000]


def test_a_file_cut_short_or_without_its_directory_counts_as_lost(pool: Pool) -> None:
    pool.file(0).write_bytes(pool.contents[0][:1000])
    flip(pool.file(3), pool.file(3).stat().st_size - 40)

    assert [pool.rebuilt(place) for place in range(3)] == pool.contents


def test_a_directory_that_contradicts_the_others_is_outvoted(pool: Pool) -> None:
    data = pool.file(3).read_bytes()
    found, _ = read_directory(StoredBytes(lambda offset, size: data[offset : offset + size], len(data)))
    stranger = replace(found.members[0], trailer_digest="0" * 64)
    ending, _ = encode_directory(replace(found, members=(stranger, *found.members[1:])))
    first = pool.path / "a" / parity_key(GROUP_ID)
    first.parent.mkdir(parents=True)
    first.write_bytes(data[: found.size_bytes] + ending)
    for place in (0, 1):
        pool.file(place).unlink()

    assert [pool.rebuilt(place) for place in (0, 1)] == pool.contents[:2]


def test_a_lost_member_is_made_anew_by_an_order_to_copy(pool: Pool) -> None:
    pool.file(1).unlink()
    order = CopyObject(
        run_id="0" * 32,
        epoch=0,
        attempt=1,
        reply_to="manager.local",
        order_id="8" * 32,
        device="b",
        device_id="b" * 32,
        object_id=pool.members[1].object_id,
        from_device="b",
        from_device_id="b" * 32,
        stored_bytes=pool.members[1].stored_bytes,
        trailer_digest=pool.members[1].trailer_digest,
    )

    copy_object(
        order,
        origin=GroupDevice(GROUP_ID, list(pool.devices.values())),
        device=pool.devices["b"],
        progress=Progress(),
        before_commit=lambda: None,
    )

    assert pool.file(1).read_bytes() == pool.contents[1]


def test_a_repeat_finds_the_row_and_a_damaged_one_is_written_again(pool: Pool) -> None:
    before = pool.file(3).read_bytes()
    inode = pool.file(3).stat().st_ino
    digest = pool.make(0)
    assert pool.file(3).stat().st_ino == inode

    flip(pool.file(3), 10)

    assert pool.make(0) == digest
    assert pool.file(3).read_bytes() == before


def test_no_parity_is_made_of_a_damaged_member(pool: Pool) -> None:
    pool.file(3).unlink()
    flip(pool.file(0), 70_000)

    with pytest.raises(DamagedError, match=r"on device a: it is not what was stored"):
        pool.make(0)
    assert not pool.file(3).exists()


def test_the_directory_says_whose_parity_it_is(pool: Pool) -> None:
    data = pool.file(4).read_bytes()
    stored = StoredBytes(lambda offset, size: data[offset : offset + size], len(data))

    found, digest = read_directory(stored)

    assert (found.group_id, found.row, found.rows_count, found.members) == (GROUP_ID, 1, 2, pool.members)
    with pytest.raises(DamagedError):
        read_directory(stored, digest=bytes(32))
    assert read_directory(stored, digest=digest)[0] == found
    with pytest.raises(DamagedError, match="contradicts itself"):
        encode_directory(replace(found, digests=found.digests[16:]))
