"""A broker that ends, or forgets all it had, while a prune has orders under way: they are sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kit.program.halting.halt_at import HaltAt
from kit.services.fleet import Fleet, RedisServer
from kit.services.fleet import fleet as new_fleet
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with new_fleet() as made:
        yield made


def restart(server: RedisServer) -> None:
    server.kill()
    server.start()


def empty(server: RedisServer) -> None:
    server.client().flushall()


@pytest.mark.parametrize(
    ("point", "blow"),
    [("workers.segments.repack:repack_object", restart), ("workers.devices.deleting:delete_stored", empty)],
    ids=["restarted while a worker repacks", "emptied while a worker deletes"],
)
def test_a_prune_continues_when_its_broker_is_back(
    fleet: Fleet, point: str, blow: Callable[[RedisServer], None]
) -> None:
    source = Tree({f"{number:02}": noise(20_000, seed=number) for number in range(36)}).make(fleet.folder / "data")
    disks = {name: fleet.folder / "disks" / name for name in "ab"}
    for disk in disks.values():
        disk.mkdir(parents=True)
    halt = HaltAt(fleet.folder / "halt", point)
    fleet.agent(fleet.host("agents", devices=disks, sources={"data": source}), "a", "b", settings=halt.settings)
    run = fleet.host("run", devices={"a": None, "b": None}, sources={"data": source})
    old = run.succeed("backup", "data", *SMALL, "--json").summary["snapshot_id"]
    for number in range(36):
        if number % 3:
            (source / f"{number:02}").write_bytes(noise(20_000, seed=number + 100))
    run.succeed("backup", "data", *SMALL)
    run.succeed("forget", old)

    prune = run.start("prune", "--max-unused=0%", "--json")
    halt.wait()
    blow(fleet.server)
    halt.release()
    done = prune.wait()

    assert done.exit_code == 0, done
    assert (done.summary["objects_written"] > 0, done.summary["bytes_unused"]) == (True, 0)
    run.succeed("check", "--read-data")
    again = run.succeed("prune", "--max-unused=0%", "--json").summary
    assert (again["objects_deleted"], again["objects_written"]) == (0, 0)
