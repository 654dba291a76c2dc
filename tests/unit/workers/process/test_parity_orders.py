"""A worker makes parity of what lies on its devices, and reads from it what is on none any more."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from tasks.errors import DamagedError
from tasks.groups import DeviceAt, GroupAt, GroupMember
from tasks.orders import AdoptDevice, ReadSegment, StoreSegment
from tasks.orders.copying import CopyObject
from tasks.orders.parity import MakeParity
from tasks.values import Extent, Extents
from tasks.wire import decode, encode
from workers.devices.keys import object_key
from workers.process.handlers import LocalHandlers
from workers.settings import DeviceSettings, WorkerSettings

GROUP_ID = "9a" * 16
CONTENTS = {name: blake3(name.encode()).digest(length=40_000 + 7 * ord(name)) for name in "ab"}
#: Of a fourth one this worker knows nothing.
DEVICES = tuple(DeviceAt(name=name, device_id=name * 32) for name in "abcd")
GROUP = GroupAt(group_id=GROUP_ID, devices=DEVICES)


class NoProgress:
    def add(self, bytes_count: int) -> None: ...

    def beat(self) -> None: ...

    def tell_device(self, device_id: str, epoch: int, free_bytes: int) -> None: ...

    def begin(self, order_id: str) -> int:
        return 1

    def end(self) -> None: ...


@dataclass(frozen=True)
class Pool:
    """A file on a and one on b, whose parity is on c."""

    folder: Path
    handlers: LocalHandlers
    members: dict[str, GroupMember]

    def lose(self, name: str) -> None:
        shutil.rmtree(self.folder / name)

    def read(self, name: str, device: str, group: GroupAt | None = GROUP) -> bytes:
        """The file of device ``name``, by an order for another device."""
        member = self.members[name]
        answer: Any = self.handlers.handle(
            ReadSegment(
                **fields(device),
                object_id=member.object_id,
                trailer_digest=member.trailer_digest,
                stream_offset_bytes=0,
                size_bytes=len(CONTENTS[name]),
                group=group,
            )
        )
        return base64.b64decode(answer.data_base64)


def fields(device: str) -> dict[str, Any]:
    return {
        "run_id": "0" * 32,
        "order_id": "8" * 32,
        "device": device,
        "device_id": device * 32,
        "epoch": 0,
        "attempt": 1,
        "reply_to": "manager.local",
    }


def store(handlers: LocalHandlers, name: str) -> GroupMember:
    order = StoreSegment(
        **fields(name),
        segment_id=name * 32,
        object_id=f"{name}5" * 16,
        snapshot_id="1" * 32,
        volume="home",
        number=0,
        source="source",
        extents=Extents.of([Extent(path=name, offset_bytes=0, size_bytes=len(CONTENTS[name]))]),
        threshold_bytes=10**6,
        unit_bytes=64 * 1024,
        block_bytes=64 * 1024,
        level=3,
        threads=1,
    )
    result: Any = handlers.handle(order)
    return GroupMember(
        object_id=order.object_id, stored_bytes=result.bytes_stored, trailer_digest=result.trailer_digest
    )


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    (tmp_path / "source").mkdir()
    for name in "abc":
        (tmp_path / name).mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "source" / name).write_bytes(content)
    settings = WorkerSettings(
        broker_url="redis://nowhere",
        devices={name: DeviceSettings(path=tmp_path / name) for name in "abc"},
        sources={"source": tmp_path / "source"},
        targets={},
    )
    handlers = LocalHandlers(settings, worker="a@here", progress=NoProgress())
    for name in "abc":
        handlers.handle(AdoptDevice(**{**fields(name), "device_id": ""}, pool_id="e" * 32, new_device_id=name * 32))
    members = {name: store(handlers, name) for name in CONTENTS}
    order = MakeParity(
        **fields("c"), group_id=GROUP_ID, row=0, rows_count=1, members=tuple(members.values()), devices=DEVICES
    )
    handlers.handle(decode(MakeParity, encode(order)))
    yield Pool(tmp_path, handlers, members)


@pytest.mark.parametrize(("lost", "device"), [("a", "b"), ("a", "c"), ("b", "a"), ("b", "c"), ("a", "a")])
def test_a_file_of_a_lost_device_is_read_from_its_group_by_any_worker(pool: Pool, lost: str, device: str) -> None:
    pool.lose(lost)

    assert pool.read(lost, device) == CONTENTS[lost]


def test_what_is_there_is_read_as_it_is_without_the_parity(pool: Pool) -> None:
    pool.lose("c")

    assert [pool.read(name, name, group=None) for name in CONTENTS] == list(CONTENTS.values())


def test_with_two_devices_lost_the_order_says_that_the_parity_is_not_enough(pool: Pool) -> None:
    pool.lose("a")
    pool.lose("b")

    with pytest.raises(DamagedError, match="1 of the 2 pieces are left"):
        pool.read("a", "c")


def test_a_lost_object_is_made_anew_on_another_device(pool: Pool) -> None:
    stored = (pool.folder / "a" / object_key(pool.members["a"].object_id)).read_bytes()
    pool.lose("a")

    pool.handlers.handle(
        CopyObject(
            **fields("b"),
            object_id=pool.members["a"].object_id,
            from_device="a",
            from_device_id="a" * 32,
            stored_bytes=pool.members["a"].stored_bytes,
            trailer_digest=pool.members["a"].trailer_digest,
            group=GROUP,
        )
    )

    assert (pool.folder / "b" / object_key(pool.members["a"].object_id)).read_bytes() == stored
    assert pool.read("a", "b", group=None) == CONTENTS["a"]
