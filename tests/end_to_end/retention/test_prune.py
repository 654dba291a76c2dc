"""Space is freed through the command: beside a backup, after a kill, and not where the configuration forbids it."""

from __future__ import annotations

from pathlib import Path

from kit.compare import differences
from kit.deadlines import eventually
from kit.program.halting.halt import Halt
from kit.program.machine import Machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise


def two_snapshots(machine: Machine) -> tuple[Path, str, str]:
    """A source, and two snapshots of it that have one file in common."""
    source = Tree({"stays": noise(50_000), "changes": noise(200_000)}).make(machine.folder / "data")
    old = machine.succeed("backup", source, *machine.devices("a b"), "--json").summary["snapshot_id"]
    (source / "changes").write_bytes(noise(200_000, seed=2))
    new = machine.succeed("backup", source, *machine.devices("a b"), "--json").summary["snapshot_id"]
    return source, old, new


def test_a_prune_beside_a_backup_touches_neither_its_segments_nor_what_its_parent_lends(machine: Machine) -> None:
    source, old, _ = two_snapshots(machine)
    halt = Halt(machine.folder / "halt")
    (source / "new").write_bytes(noise(100_000, seed=3))
    backup = machine.start("backup", source, *machine.devices("a b"), **halt.settings)
    halt.wait()

    assert machine.run("forget", old).exit_code == 11
    before = machine.segments_on()
    assert machine.succeed("prune", "--json").summary["objects_deleted"] == 0
    assert machine.segments_on() == before
    halt.release()

    assert backup.wait().exit_code == 0
    machine.succeed("forget", "--keep-last=1", "--prune")
    read_all(machine)
    assert differences(source, bring_back(machine, "out") / "data") == []


def test_a_prune_that_is_killed_is_continued_by_the_next(machine: Machine) -> None:
    _, old, _ = two_snapshots(machine)
    machine.succeed("forget", old)
    would = machine.succeed("prune", "--dry-run", "--json").summary
    count = len(machine.segments_on())
    assert 0 < would["objects_deleted"] < count

    prune = machine.start("prune")
    eventually(lambda: len(machine.segments_on()) < count, "the first object is gone")
    prune.end()

    read_all(machine)
    machine.succeed("prune")
    assert len(machine.segments_on()) == count - would["objects_deleted"]
    read_all(machine)


def test_a_device_that_only_grows_keeps_all_and_the_prune_says_what_waits(machine: Machine) -> None:
    _, old, _ = two_snapshots(machine)
    machine.limit("a b", None)
    text = (machine.folder / "segfleet.toml").read_text()
    (machine.folder / "segfleet.toml").write_text(text.replace("[devices.b]\n", "[devices.b]\nappend-only = true\n"))
    machine.succeed("forget", old)
    kept = machine.segments_on("b")

    pruned = machine.succeed("prune", "--json")

    assert machine.segments_on("b") == kept
    assert pruned.summary["waiting"]["b"]["why"] == "it is append-only"
    assert pruned.summary["waiting"]["b"]["objects"] > 0
    read_all(machine)
