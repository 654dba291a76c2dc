"""What goes on while a backup runs, and what waits for it."""

from __future__ import annotations

import signal

from kit.deadlines import eventually
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.tree import Tree, noise


def test_reading_goes_on_beside_a_backup_and_a_second_backup_waits(machine: Machine) -> None:
    source = Tree({"file": b"kept"}).make(machine.folder / "data")
    devices = machine.devices("a b")
    machine.succeed("backup", source, *devices)
    large = Tree({"file": noise(48 * 2**20)}).make(machine.folder / "large")
    machine.limit("a b", "64KiB")
    brake = Brake(machine.folder / "brake")
    first = machine.start("backup", large, *devices, "--json", **brake.settings, SEGFLEET_STALL_S="600")
    first.wait_until_storing()

    reader = machine.start("dump", "latest", "data/file")
    assert machine.succeed("dump", "latest", "data/file").stdout == b"kept"
    assert reader.wait().stdout == b"kept"
    machine.succeed("restore", "latest", "--target", machine.folder / "out")
    assert (machine.folder / "out/data/file").read_bytes() == b"kept"
    machine.succeed("check", "--read-data")
    assert {row["state"] for row in machine.succeed("devices", "--json").rows_of("device")} == {"live"}
    machine.succeed("plan", source, *devices)

    refused = machine.run("backup", source, *devices, "--wait=0")
    assert refused.exit_code == 11
    assert "--wait TIME" in refused.stderr
    waiting = machine.start("backup", source, *devices, "--wait=10m")
    interrupted = machine.start("backup", large, *devices, "--wait=10m")
    eventually(lambda: "waiting for backup of large" in interrupted.stderr, "it waits for the volume")
    interrupted.signal(signal.SIGINT)
    assert interrupted.wait().exit_code == 130
    assert not first.has_ended
    assert not waiting.has_ended
    brake.release()
    assert first.wait().exit_code == 0
    assert waiting.wait().exit_code == 0
