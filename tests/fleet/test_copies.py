"""Copies between agents on different hosts: the second one reads the source again, and proves that it is the same."""

from __future__ import annotations

import shutil
from pathlib import Path

from kit.compare import differences
from kit.program.command import Running
from kit.program.machine import Machine
from kit.services.fleet import Fleet, kill_tree
from kit.tree import Tree, noise

OPTIONS = ("--segment-size=6MiB", "--unit-size=1MiB", "--copies=2", "--json")

FILES = Tree({"large": noise(14_000_000, seed=1)} | {f"d/{n:02}": noise(150_000, seed=10 + n) for n in range(10)})


def centre(fleet: Fleet) -> Machine:
    """The host where the commands run; it has no disk."""
    return fleet.host("centre", devices=dict.fromkeys("ab"), sources={"data": fleet.folder / "data"})


def agent(fleet: Fleet, device: str, source: Path) -> Running:
    """On a host of its own, with one disk."""
    disk = fleet.folder / "disks" / device
    disk.mkdir(parents=True)
    targets = {"back": fleet.folder / "back"}
    return fleet.agent(
        fleet.host(f"host-{device}", devices={device: disk}, sources={"data": source}, targets=targets), device
    )


def test_with_copies_on_two_hosts_either_may_burn_and_a_file_that_changes_between_two_reads_is_named(
    fleet: Fleet,
) -> None:
    source, as_b_sees_it = FILES.make(fleet.folder / "data"), fleet.folder / "as b sees it"
    shutil.copytree(source, as_b_sees_it)
    (as_b_sees_it / "d" / "03").write_bytes(noise(150_000, seed=99))
    shutil.copystat(source / "d" / "03", as_b_sees_it / "d" / "03")
    here, burning, _ = centre(fleet), agent(fleet, "a", source), agent(fleet, "b", as_b_sees_it)

    first = here.run("backup", "data", *OPTIONS)
    (source / "d" / "03").write_bytes(noise(150_000, seed=100))
    shutil.copy2(source / "d" / "03", as_b_sees_it / "d" / "03")
    second = here.succeed("backup", "data", *OPTIONS)
    third = here.succeed("backup", "data", *OPTIONS)
    kill_tree(burning)
    shutil.rmtree(fleet.folder / "disks" / "a")
    here.succeed("restore", "latest", "--target", "back")

    assert (first.exit_code, first.summary["copies_missing"]) == (3, 1)
    assert [(row["code"], Path(row["path"]).name) for row in first.errors] == [("changed", "03")]
    assert first.summary["copies_made"] >= first.summary["segments"] - 1 > 0
    assert (second.summary["copies_missing"], third.summary["copies_made"]) == (0, 0)
    assert differences(source, fleet.folder / "back" / "data") == []
