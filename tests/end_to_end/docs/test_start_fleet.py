"""docs/start-fleet.md: each block is run by the machine that it names."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import redis

from kit.compare import differences
from kit.deadlines import eventually
from kit.needs import need_tools
from kit.pages import Reader, blocks_of
from kit.program.machine import Machine
from kit.tree import Tree, noise
from producer.manager.presence import managers
from tasks.broker.leases import all_leases


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a short path, as those of sockets are."""
    made = Path(tempfile.mkdtemp(prefix="sf-"))
    try:
        yield made
    finally:
        shutil.rmtree(made)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def reader_at(folder: Path, shared: Path, port: int) -> Reader:
    """Somebody at a machine of the fleet, who sees the files of tower as all do."""
    folder.mkdir()
    reader = Reader(Machine(folder))
    (folder / "srv").symlink_to(shared)
    reader.make("mnt/disk")
    reader.configuration = reader.home / "segfleet.toml"
    reader.replaced = {
        "tower.example:6379": f"127.0.0.1:{port}",
        "redis-server ": f"redis-server --bind 127.0.0.1 --port {port} ",
    }
    return reader


def test_a_fleet_of_three_machines_is_set_up_backs_up_and_restores(folder: Path) -> None:
    need_tools("redis-server")
    shared = folder / "srv"
    for name in ("redis", "restored"):
        (shared / name).mkdir(parents=True)
    source = Tree({str(n): noise(40_000, seed=n) for n in range(8)}).make(shared / "data")
    port = free_port()
    readers = {name: reader_at(folder / name, shared, port) for name in ("tower", "attic", "cellar")}
    broker = redis.Redis(port=port, password="PASSWORD")
    try:
        for block in blocks_of("start-fleet.md"):
            reader = readers[block.host]
            reader.follow(block)
            if "segfleet worker" in block.commands:
                eventually(partial(serves, broker, block.host), f"{block.host} serves its disk")
            if "segfleet manager" in block.commands:
                eventually(lambda: managers(broker), "the manager is there")
        assert differences(source, shared / "restored" / "data") == []
    finally:
        with suppress(redis.ConnectionError):
            broker.shutdown(nosave=True)
        for reader in readers.values():
            reader.machine.end()


def serves(broker: redis.Redis, device: str) -> bool:
    return any(lease.device == device for lease in all_leases(broker))
