"""Snapshots are forgotten, kept and counted, through the command."""

from __future__ import annotations

from kit.compare import differences
from kit.program.json_lines import follow_their_schema
from kit.program.machine import Machine
from kit.program.proof import bring_back, read_all
from kit.tree import Tree, noise


def test_what_is_forgotten_leaves_the_lists_and_the_rest_restores(machine: Machine) -> None:
    source = Tree({"stays": noise(3000), "changes": noise(200_000)}).make(machine.folder / "data")
    devices = machine.devices("a b")
    old = machine.succeed("backup", source, *devices, "--json").summary
    [before] = machine.succeed("stats", "data", "--json").rows_of("volume")
    assert (before["snapshots"], before["bytes_unused"]) == (1, 0)
    assert before["bytes_stored"] == old["bytes_stored"]

    (source / "changes").write_bytes(noise(100_000, seed=2))
    new = machine.succeed("backup", source, *devices, "--json").summary
    machine.succeed("pin", old["snapshot_id"])
    assert machine.run("forget", old["snapshot_id"]).exit_code == 2
    machine.succeed("unpin", old["snapshot_id"])
    forgotten = machine.succeed("forget", "--keep-last=1", "--json")
    follow_their_schema("forget", forgotten.rows)
    verdicts = forgotten.rows_of("verdict")
    assert [(row["verdict"], row["snapshot_id"]) for row in verdicts] == [
        ("keep", new["snapshot_id"]),
        ("forget", old["snapshot_id"]),
    ]

    assert [row["snapshot_id"] for row in machine.succeed("snapshots", "--json").rows] == [new["snapshot_id"]]
    assert machine.run("restore", old["snapshot_id"], "--target", "old").exit_code == 2
    assert differences(source, bring_back(machine, "out") / "data") == []
    read_all(machine)

    stats = machine.succeed("stats", "--json")
    [volume], held = stats.rows_of("volume"), stats.rows_of("device")
    assert (volume["snapshots"], volume["bytes_source"], volume["bytes_newest"]) == (1, 103_000, 103_000)
    assert volume["bytes_stored"] == old["bytes_stored"] + new["bytes_stored"]
    assert 200_000 < volume["bytes_unused"] < volume["bytes_stored"]
    assert sum(row["bytes_stored"] for row in held) == volume["bytes_stored"]
    assert sum(row["bytes_unused"] for row in held) == volume["bytes_unused"]
    assert [row["bytes_stored_total"] for row in stats.rows_of("growth")] == [
        old["bytes_stored"],
        volume["bytes_stored"],
    ]
    assert "stored of data:" in machine.succeed("stats").stdout.decode()
    assert machine.run("stats", "nobody").exit_code == 2

    machine.succeed("backup", source, *devices, "--force")
    pruned = machine.succeed("forget", "--keep-last=1", "--prune", "--json")
    follow_their_schema("forget", pruned.rows)
    assert pruned.summary["bytes_freed"] >= volume["bytes_stored"]
    [volume] = machine.succeed("stats", "--json").rows_of("volume")
    assert (volume["snapshots"], volume["bytes_unused"]) == (1, 0)
    read_all(machine)


def test_a_rebuild_brings_back_neither_what_was_forgotten_nor_what_a_rewrite_left_out(machine: Machine) -> None:
    source = Tree({"stays": noise(3000), "keys/secret": noise(200_000)}).make(machine.folder / "data")
    old = machine.succeed("backup", source, *machine.devices("a b"), "--tag=x", "--json").summary
    (source / "new").write_bytes(noise(1000))
    newest = machine.succeed("backup", source, *machine.devices("a b"), "--json").summary["snapshot_id"]
    assert machine.succeed("forget", newest, "-q").stdout == b""
    assert all((machine.device(name) / "manifests" / f"{newest}.forgotten").exists() for name in "ab")
    assert [row["kind"] for row in machine.succeed("history", "data", "--json").rows] == ["backup", "backup", "forget"]
    would = machine.succeed("rewrite", "--volume=data", "-e", "/keys", "--dry-run", "--json")
    assert machine.succeed("rewrite", old["snapshot_id"], "-e", "nothing").stdout.startswith(b"no path matches")
    assert machine.run("rewrite", old["snapshot_id"]).exit_code == 2
    assert machine.run("rewrite", "--volume=other", "-e", "x").exit_code == 2

    done = machine.succeed("rewrite", "--volume=data", "-e", "/keys", "--json")

    follow_their_schema("rewrite", [*would.rows, *done.rows])
    [row], [expected] = done.rows_of("rewritten"), would.rows_of("rewritten")
    assert expected == {**row, "snapshot_id": ""} and row["bytes_removed"] == 200_000
    [snapshot] = machine.succeed("snapshots", "--json").rows
    assert (snapshot["snapshot_id"], snapshot["tags"]) == (row["snapshot_id"], ["x"])
    pruned = machine.succeed("prune", "--json")
    follow_their_schema("prune", pruned.rows)
    assert pruned.summary["bytes_freed"] > 100_000
    (machine.state / "catalog.sqlite").unlink()
    machine.succeed("rebuild", *machine.devices("a b"))
    assert [found["snapshot_id"] for found in machine.succeed("snapshots", "--json").rows] == [row["snapshot_id"]]
    machine.succeed("restore", row["snapshot_id"], "--target", "out", "--verify")
    assert sorted(path.name for path in (machine.folder / "out/data").iterdir()) == ["stays"]
