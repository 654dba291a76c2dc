"""Whatever a message says, a worker reads below its sources alone and writes below its device and its targets alone.

Each row changes one thing in a message that would be carried out, and gives it to the task's body with a worker's real
handlers behind it.
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

import tasks.definitions  # noqa: F401  registers the tasks
from kit.compare import Look, look_at
from tasks import handlers
from tasks.app import app
from tasks.receipts import Receipt
from workers.process.handlers import LocalHandlers
from workers.settings import DeviceSettings, WorkerSettings

SECRET = b"the secret of somebody else " * 20
DEVICE_ID, POOL_ID, SNAPSHOT = "d" * 32, "e" * 32, "1" * 32

ENVELOPE = {
    "version": 1,
    "run_id": "0" * 32,
    "order_id": "5e" * 16,
    "device": "a",
    "device_id": DEVICE_ID,
    "epoch": 0,
    "attempt": 1,
    "reply_to": "manager.m",
}
STORE = {
    **ENVELOPE,
    "segment_id": "5e" * 16,
    "object_id": "0b" * 16,
    "snapshot_id": SNAPSHOT,
    "volume": "home",
    "number": 0,
    "source": "source",
    "extents": {"paths": ["file"], "offsets_bytes": [0], "sizes_bytes": [1000]},
    "threshold_bytes": 1000,
    "unit_bytes": 65536,
    "block_bytes": 65536,
    "level": 1,
    "threads": 1,
}
DATA = b"part of a manifest"
PUT = {
    **ENVELOPE,
    "name": f"{SNAPSHOT}.000000.part",
    "data": base64.b64encode(DATA).decode(),
    "digest": blake3(DATA).hexdigest(),
}
GET = {**ENVELOPE, "name": ""}
RESTORE = {
    **ENVELOPE,
    "object_id": "5e" * 16,
    "target": "target",
    "paths": ["x"],
    "stream_offsets_bytes": [0],
    "offsets_bytes": [0],
    "sizes_bytes": [10],
    "metadata": [[0o600, 0, 0, 0]],
    "overwrite": "always",
    "threads": 1,
}
FILE = {"kind": "file", "path": "x", "mode": 0o600, "uid": 0, "gid": 0, "mtime_ns": 0}
ENTRIES = {**ENVELOPE, "target": "target", "entries": [FILE], "overwrite": "always"}
READ = {**ENVELOPE, "object_id": "5e" * 16, "stream_offset_bytes": 0, "size_bytes": 10}
VERIFY = {**ENVELOPE, "object_ids": ["5e" * 16], "stored_bytes": [1], "read_data": True}
ADOPT = {**ENVELOPE, "pool_id": POOL_ID, "new_device_id": DEVICE_ID}


def extents(path: str = "file", offset: Any = 0, size: Any = 1000) -> dict[str, Any]:
    return {"extents": {"paths": [path], "offsets_bytes": [offset], "sizes_bytes": [size]}}


def within(path: Any, source: str = "source") -> dict[str, Any]:
    return {"within": {"source": source, "path": path}, "source": "part"}


def raw(path: str) -> dict[str, Any]:
    """The file or device at ``path`` in the source as a volume, up to the size of the secret."""
    volume: dict[str, Any] = {"raw": {"unused_offsets_bytes": [], "unused_sizes_bytes": []}}
    return volume | within(path) | extents("", size=len(SECRET))


def entry(**fields: Any) -> dict[str, Any]:
    return {"entries": [{**FILE, **fields}]}


#: Task, the good message, and what is different in it.
HOSTILE: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("store", STORE, extents("/etc/passwd")),
    ("store", STORE, extents("../outside/secret")),
    ("store", STORE, extents("folder/../../outside/secret")),
    ("store", STORE, extents("./file")),
    ("store", STORE, extents("folder//file")),
    ("store", STORE, extents("file/")),
    ("store", STORE, extents("fi\0le")),
    ("store", STORE, extents("x" * 5000)),
    ("store", STORE, extents(offset=-1)),
    ("store", STORE, extents(offset=2**63)),
    ("store", STORE, extents(offset="0")),
    ("store", STORE, extents(offset=1.5)),
    ("store", STORE, extents(size=-1)),
    ("store", STORE, extents(size=2**63)),
    ("store", STORE, extents(size=2**62)),
    ("store", STORE, {"extents": {"paths": ["file"], "offsets_bytes": [], "sizes_bytes": [1]}}),
    ("store", STORE, {"extents": {"paths": ["file"], "offsets_bytes": [0], "sizes_bytes": [1], "root": ["/"]}}),
    ("store", STORE, {"extents": [["file", 0, 1]]}),
    ("store", STORE, {"root": "/"}),
    ("store", STORE, {"command": "id"}),
    ("store", STORE, {"version": 2}),
    ("store", STORE, {"version": "1"}),
    ("store", STORE, {"version": None}),
    ("store", STORE, {"device": "b"}),
    ("store", STORE, {"device": "../outside"}),
    ("store", STORE, {"device": ""}),
    ("store", STORE, {"device_id": "c" * 32}),
    ("store", STORE, {"device_id": ""}),
    ("store", STORE, {"device_id": "D" * 32}),
    ("store", STORE, {"order_id": "../../../outside/evil"}),
    ("store", STORE, {"order_id": "../" + "0" * 29}),
    ("store", STORE, {"order_id": 7}),
    ("store", STORE, {"run_id": "x" * 32}),
    ("store", STORE, {"epoch": -1}),
    ("store", STORE, {"attempt": 0}),
    ("store", STORE, {"reply_to": "device.a"}),
    ("store", STORE, {"reply_to": "unacked.device.a"}),
    ("store", STORE, {"reply_to": "command.m"}),
    ("store", STORE, {"source": "nowhere"}),
    ("store", STORE, {"source": "../outside"}),
    ("store", STORE, {"source": ""}),
    ("store", STORE, within("/")),
    ("store", STORE, within("/etc")),
    ("store", STORE, within("..")),
    ("store", STORE, within("../outside")),
    ("store", STORE, within("folder/../../outside")),
    ("store", STORE, within("folder/..")),
    ("store", STORE, within(".")),
    ("store", STORE, within("")),
    ("store", STORE, within("folder/")),
    ("store", STORE, within("folder//inner")),
    ("store", STORE, within("fol\0der")),
    ("store", STORE, within("x" * 5000)),
    ("store", STORE, within("x/" * 2000 + "x")),
    ("store", STORE, within(7)),
    ("store", STORE, within("folder", "nowhere")),
    ("store", STORE, within("folder", "../outside")),
    ("store", STORE, within("folder", "")),
    ("store", STORE, {"within": "folder"}),
    ("store", STORE, {"within": {"path": "folder"}}),
    ("store", STORE, {"within": {"source": "source", "path": "folder", "root": "/"}}),
    # What leads out of the source in the source itself.
    ("store", STORE, within("way")),
    ("store", STORE, within("way/inner")),
    ("store", STORE, within("folder/up/outside")),
    ("store", STORE, within("link") | extents("", size=len(SECRET))),
    ("store", STORE, raw("link")),
    ("store", STORE, raw("way/secret")),
    ("store", STORE, raw("folder")),
    ("store", STORE, {"unit_bytes": 1}),
    ("store", STORE, {"unit_bytes": 2**40}),
    ("store", STORE, {"unit_bytes": 65537}),
    ("store", STORE, {"block_bytes": 0}),
    ("store", STORE, {"level": 99}),
    ("store", STORE, {"threads": 0}),
    ("store", STORE, {"threads": 10**6}),
    ("store", STORE, {"readers": 0}),
    ("store", STORE, {"readers": 10**6}),
    ("store", STORE, {"number": -1}),
    ("store", STORE, {"volume": "../x"}),
    ("put_manifest", PUT, {"name": "../../outside/evil"}),
    ("put_manifest", PUT, {"name": "/etc/evil"}),
    ("put_manifest", PUT, {"name": "segfleet.json"}),
    ("put_manifest", PUT, {"digest": "0" * 64}),
    ("put_manifest", PUT, {"data": "not base64!"}),
    ("get_manifest", GET, {"name": "../../outside/secret"}),
    ("get_manifest", GET, {"name": "../segfleet.json"}),
    ("restore_segment", RESTORE, {"target": "nowhere"}),
    ("restore_segment", RESTORE, {"target": "../outside"}),
    ("restore_segment", RESTORE, {"paths": ["../outside/evil"]}),
    ("restore_segment", RESTORE, {"paths": ["/etc/evil"]}),
    ("restore_segment", RESTORE, {"object_id": "../" + "0" * 29}),
    ("restore_segment", RESTORE, {"offsets_bytes": [-1]}),
    ("restore_entries", ENTRIES, {"target": "nowhere"}),
    ("restore_entries", ENTRIES, entry(path="../outside/evil")),
    ("restore_entries", ENTRIES, entry(path="/etc/evil")),
    ("restore_entries", ENTRIES, entry(kind="hardlink", link="../outside/secret")),
    ("restore_entries", ENTRIES, entry(kind="hardlink", link="/etc/passwd")),
    ("restore_entries", ENTRIES, entry(kind="socket")),
    ("restore_entries", ENTRIES, entry(mode=0o10777)),
    ("restore_entries", ENTRIES, entry(size_bytes=9, finish=True, hole_offsets_bytes=[0])),
    ("restore_entries", ENTRIES, entry(size_bytes=9, finish=True, hole_offsets_bytes=[-1], hole_sizes_bytes=[1])),
    ("restore_entries", ENTRIES, entry(size_bytes=9, finish=True, hole_offsets_bytes=[0], hole_sizes_bytes=[2**62])),
    ("read", READ, {"object_id": "../" + "0" * 29}),
    ("read", READ, {"stream_offset_bytes": -1}),
    ("read", READ, {"stream_offset_bytes": 10**6}),
    ("read", READ, {"size_bytes": 2**40}),
    ("read", READ, {"size_bytes": 0}),
    ("verify", VERIFY, {"object_ids": ["../../outside/secret"]}),
    ("store", STORE, {"object_id": "../../outside/secret"}),
    ("verify", VERIFY, {"stored_bytes": []}),
    ("adopt", ADOPT, {"pool_id": "f" * 32}),
    ("adopt", ADOPT, {"pool_id": "../x"}),
]


class World:
    """A worker's folders, and one that is none of its business."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("source/folder", "device", "target", "outside"):
            (folder / name).mkdir(parents=True)
        (folder / "source" / "file").write_bytes(b"content" * 300)
        (folder / "source" / "folder" / "inside").write_bytes(b"inside" * 300)
        (folder / "outside" / "secret").write_bytes(SECRET)
        (folder / "source" / "link").symlink_to(folder / "outside" / "secret")
        (folder / "source" / "way").symlink_to(folder / "outside")
        (folder / "source" / "folder" / "up").symlink_to("../..")
        (folder / "outside" / "inner").mkdir()
        self.receipts: list[Receipt] = []
        self.handlers = _Handlers(self)

    def carry_out(self, task: str, order: Any) -> list[Receipt]:
        self.receipts = []
        app.tasks[f"segfleet.{task}"](order=order)
        return self.receipts

    def untouched(self) -> dict[str, dict[bytes, Look]]:
        """What no order may change, as it is now."""
        return {name: look_at(self.folder / name) for name in ("source", "outside")}

    def segments(self) -> list[Path]:
        return sorted((self.folder / "device").glob("segments/*/*"))

    def holds_the_secret(self) -> bool:
        files = [path for path in (self.folder / "device").rglob("*") if path.is_file()]
        told = "".join(map(repr, self.receipts)).encode()
        return any(SECRET[:20] in content for content in (told, *(path.read_bytes() for path in files)))


class _Handlers(LocalHandlers):
    """A worker's handlers; receipts go to the world in the place of a broker."""

    def __init__(self, world: World) -> None:
        self._world = world
        super().__init__(
            WorkerSettings(
                broker_url="redis://nowhere",
                devices={"a": DeviceSettings(path=world.folder / "device")},
                sources={"source": world.folder / "source"},
                targets={"target": world.folder / "target"},
            ),
            worker="a@here",
            progress=_Progress(),
        )

    def deliver(self, receipt: Receipt, queue: str) -> None:
        self._world.receipts.append(receipt)


class _Progress:
    def add(self, bytes_count: int) -> None: ...

    def beat(self) -> None: ...

    def tell_device(self, device_id: str, epoch: int, free_bytes: int) -> None: ...

    def begin(self, order_id: str) -> int:
        return 1

    def end(self) -> None: ...


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(tmp_path)
    monkeypatch.setattr(handlers, "_installed", made.handlers)
    assert made.carry_out("adopt", {**ADOPT, "device_id": ""})[0].failure is None
    yield made


GOOD = [STORE, PUT, GET, RESTORE, ENTRIES, READ, VERIFY, ADOPT]


def name_of(row: Any) -> str:
    return repr(row)[:60] if isinstance(row, dict) else str(row)


@pytest.mark.parametrize(("task", "good", "change"), HOSTILE, ids=lambda value: "" if value in GOOD else name_of(value))
def test_a_hostile_message_is_refused_and_changes_nothing(
    world: World, task: str, good: dict[str, Any], change: dict[str, Any]
) -> None:
    before, target = world.untouched(), look_at(world.folder / "target")

    receipts = world.carry_out(task, {**good, **change})

    assert all(receipt.failure is not None for receipt in receipts)
    assert world.untouched() == before
    assert look_at(world.folder / "target") == target
    assert world.segments() == []
    assert not world.holds_the_secret()


@pytest.mark.parametrize("wire", [None, [], "order", 7, {}, {"version": 1}], ids=repr)
def test_what_is_no_order_at_all_is_refused(world: World, wire: Any) -> None:
    for task in ("describe", "adopt", "store", "put_manifest", "get_manifest", "restore_segment", "read", "verify"):
        assert world.carry_out(task, wire) == []


@pytest.mark.parametrize(
    "change",
    [{"level": "high"}, {"unknown": 1}, {"number": -1}, {"volume": None}, extents("x" * 5000, size=1)],
    ids=name_of,
)
def test_an_order_that_does_not_decode_is_answered_if_it_says_whose_it_is(world: World, change: dict[str, Any]) -> None:
    (receipt,) = world.carry_out("store", {**STORE, **change})

    assert receipt.order_id == STORE["order_id"]
    assert receipt.failure is not None
    assert (receipt.failure.reason, receipt.failure.code) == ("refused", "message")


@pytest.mark.parametrize("path", ["link", "way/secret"])
def test_a_symlink_out_of_the_source_is_not_followed(world: World, path: str) -> None:
    (receipt,) = world.carry_out("store", {**STORE, **extents(path, size=len(SECRET)), "level": -7})

    assert receipt.failure is None
    assert [note.trouble for note in receipt.result.notes] != []
    assert not world.holds_the_secret()


def swap_for_a_link(world: World) -> None:
    shutil.rmtree(world.folder / "source" / "folder")
    (world.folder / "source" / "folder").symlink_to(world.folder / "outside")


def swap_the_file(world: World) -> None:
    (world.folder / "source" / "file").unlink()
    (world.folder / "source" / "file").symlink_to(world.folder / "outside" / "secret")


@pytest.mark.parametrize(
    ("swap", "path"), [(swap_for_a_link, "folder/secret"), (swap_the_file, "file")], ids=["folder", "file"]
)
def test_a_symlink_swapped_in_between_two_orders_is_not_followed(
    world: World, swap: Callable[[World], None], path: str
) -> None:
    world.carry_out("store", STORE)
    swap(world)

    (receipt,) = world.carry_out("store", {**STORE, **extents(path, size=len(SECRET)), "order_id": "6f" * 16})

    assert receipt.failure is None
    assert [note.trouble for note in receipt.result.notes] != []
    assert not world.holds_the_secret()


def test_a_symlink_swapped_in_on_the_way_to_a_source_is_not_followed(world: World) -> None:
    swap_for_a_link(world)

    (receipt,) = world.carry_out("store", {**STORE, **within("folder"), **extents("secret", size=len(SECRET))})

    assert receipt.failure is not None
    assert receipt.failure.code == "source"
    assert world.segments() == []


@pytest.mark.parametrize("leads_to", ["/", "../outside", "way"])
def test_a_symlink_that_a_restore_makes_is_no_way_out_of_the_target(world: World, leads_to: str) -> None:
    before = world.untouched()
    link = {**FILE, "kind": "symlink", "path": "way", "link": leads_to, "mode": 0o777}

    world.carry_out("restore_entries", {**ENTRIES, "entries": [link, {**FILE, "path": "way/evil"}]})

    assert world.untouched() == before
    assert not Path("/evil").exists()


@pytest.mark.parametrize(
    ("task", "order"),
    [
        ("store", STORE),
        ("store", {**STORE, **within("folder"), **extents("inside")}),
        ("store", {**STORE, **within("folder/inside"), **extents("")}),
        ("store", {**STORE, **raw("folder/inside")}),
        ("put_manifest", PUT),
        ("get_manifest", GET),
        ("restore_entries", ENTRIES),
    ],
)
def test_the_messages_without_their_changes_are_carried_out(world: World, task: str, order: dict[str, Any]) -> None:
    (receipt,) = world.carry_out(task, order)

    assert receipt.failure is None, receipt
    assert task != "store" or receipt.result.notes == ()
