"""Wall clocks that jump in the middle of a backup: leases live by the broker's, durations by the monotonic clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kit.compare import differences
from kit.program.clock import FakeClock
from kit.program.machine import Machine
from kit.program.processes import broker
from kit.program.proof import bring_back, read_all
from kit.program.scene import Scene
from kit.tree import Tree


@pytest.mark.parametrize("days", [3, -3])
def test_a_backup_goes_on_when_the_clock_of_its_host_jumps(machine: Machine, days: int) -> None:
    clock = FakeClock(machine.folder)
    scene = Scene(machine, rate="256KiB")
    running = scene.start(**clock.settings)

    clock.jump(days=days)
    with broker(machine) as client:
        assert abs(client.time()[0] - time.time()) > 2 * 24 * 3600
    scene.wait_until_stored(running, 5)
    clock.jump(days=0)
    done = scene.finish(running)

    assert done.errors == []
    assert "replacing the worker" not in done.stderr
    # Others may be rerouted, to keep devices of unequal speed busy.
    assert " segments go to " not in done.stderr
    assert done.summary["segments_retried"] == 0
    assert 0 < done.summary["duration_s"] < 120
    scene.prove(done)


def test_after_the_clock_was_set_back_the_newest_snapshot_is_the_one_that_was_made_last(machine: Machine) -> None:
    source = Tree({"kept": b"kept", "file": b"old"}).make(machine.folder / "data")
    clock = FakeClock(machine.folder)
    clock.jump(days=30)
    backup: tuple[str | Path, ...] = ("backup", source, *machine.devices("a b"), "--json")
    first = machine.succeed(*backup, **clock.settings).summary["snapshot_id"]
    machine.wait_until_quiet()
    clock.jump(days=0)
    (source / "file").write_bytes(b"new")
    second = machine.succeed(*backup).summary

    assert (second["parent_id"], second["files_changed"], second["files_unchanged"]) == (first, 1, 1)
    listed = [row["snapshot_id"] for row in machine.succeed("snapshots", "--json").rows_of("snapshot")]
    assert listed == [first, second["snapshot_id"]]
    assert differences(source, bring_back(machine, "target") / "data") == []
    machine.succeed("forget", "--volume", "data", "--keep-last", "1")
    machine.succeed("prune", *machine.devices("a b"))
    (left,) = machine.succeed("snapshots", "--json").rows_of("snapshot")
    assert left["snapshot_id"] == second["snapshot_id"]
    read_all(machine, "a b")
