"""Rewrite, forget and prune by way of a manager, whose devices are on two hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kit.compare import differences
from kit.program.machine import Machine
from kit.services.fleet import fleet as new_fleet
from kit.tree import Tree, noise

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB", "--ignore-ctime")
FILES_COUNT = 36


@pytest.fixture
def master() -> Iterator[Machine]:
    """Of a manager m, and of agents on two hosts, each with one device; they share the source and the target."""
    with new_fleet() as fleet:
        tree = Tree({"secret": noise(90_000, seed=99)} | {f"{n:02}": noise(20_000, seed=n) for n in range(FILES_COUNT)})
        source, target = tree.make(fleet.folder / "data"), fleet.folder / "back"
        for name in "ab":
            disk = fleet.folder / "disks" / name
            disk.mkdir(parents=True)
            host = fleet.host(f"host-{name}", devices={name: disk}, sources={"data": source}, targets={"back": target})
            fleet.agent(host, name)
        manager = fleet.host("manager", devices={"a": None, "b": None}, sources={"data": source})
        made = fleet.host("master")
        fleet.manager(manager, "m")
        yield made


def test_a_manager_forgets_rewrites_and_prunes_on_devices_of_several_hosts(master: Machine) -> None:
    source = master.folder.parent / "data"
    old = master.succeed("backup", "data", *SMALL, "--json").summary["snapshot_id"]
    for number in range(FILES_COUNT):
        if number % 3:
            (source / f"{number:02}").write_bytes(noise(20_000, seed=number + 100))
    master.succeed("backup", "data", *SMALL)

    [row] = master.succeed("rewrite", "latest", "-e", "/secret", "--json").rows_of("rewritten")
    forgotten = master.succeed("forget", "--keep-last=1", "--json").rows_of("verdict")
    would = master.succeed("prune", "--max-unused=0%", "--dry-run", "--json").summary
    pruned = master.succeed("prune", "--max-unused=0%", "--json").summary

    assert [(verdict["verdict"], verdict["snapshot_id"]) for verdict in forgotten] == [
        ("keep", row["snapshot_id"]),
        ("forget", old),
    ]
    assert (pruned["bytes_unused"], pruned["errors"]) == (0, 0)
    assert pruned["objects_written"] == would["objects_written"] > 0
    master.succeed("check", "--read-data")
    master.succeed("restore", "latest", "--target", "back")
    (source / "secret").unlink()
    assert [line for line in differences(source, source.parent / "back" / "data") if "mtime_ns" not in line] == []
    kinds = [row["kind"] for row in master.succeed("history", "--json").rows]
    assert sorted(kinds) == sorted(["backup", "backup", "rewrite", "forget", "prune", "check", "restore"])
