"""A tree that changes all the time: what is restored existed, or the backup has named it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from kit.mutator import PAUSE_S, Mutator, state_of
from kit.program.command import Done
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.tree import Entry, File, Tree, noise

MUTATED_S = 3.0
#: Without the brake's release the devices would take three times as long.
RATE = "512KiB"
STEPS = ("--unit-size=64KiB", "--segment-size=256KiB", "--threads=1")
UNTOUCHED = frozenset({"stays", "stays and is large"})


def tree() -> Tree:
    files: dict[str, Entry | bytes] = {f"{n % 6}/small {n}": noise(3000 + n, seed=n) for n in range(60)}
    files |= {f"{n % 6}/large {n}": File(noise(600_000 + n, seed=n), mode=0o4755) for n in range(8)}
    return Tree({**files, "0/stays": b"untouched", "1/stays and is large": noise(700_000)})


def backed_up_while_it_changes(machine: Machine, mutator: Mutator, source: Path) -> Done:
    devices = machine.devices("a b")
    machine.limit("a b", RATE)
    brake = Brake(machine.folder / "brake")
    running = machine.start("backup", source, *devices, *STEPS, "--json", **brake.settings)
    running.wait_for_row(lambda row: row["message_type"] == "status", "the walk has begun")
    stop_s = time.monotonic() + MUTATED_S
    while not running.has_ended:
        mutator.change()
        time.sleep(PAUSE_S)
        if time.monotonic() > stop_s:
            brake.release()
    machine.limit("a b", None)
    return running.wait()


def test_each_restored_file_is_one_that_existed_or_is_named(machine: Machine) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    source = tree().make(machine.folder / "data")
    mutator = Mutator(source, seed, UNTOUCHED)
    done = backed_up_while_it_changes(machine, mutator, source)
    assert len(mutator.changes) > 7, mutator.changes

    named = {os.path.relpath(error["path"], source) for error in done.errors}
    codes = {error["code"] for error in done.errors}
    # Unreadable: a symlink or a folder in the place of a file.
    assert {"changed", "vanished"} <= codes <= {"changed", "vanished", "unreadable"}, done
    assert done.exit_code == 3

    restored = machine.run("restore", "latest", "--target", "out", "--json")
    assert restored.exit_code in (0, 3)
    out = machine.folder / "out" / "data"
    found = {str(path.relative_to(out)): state_of(path) for path in sorted(out.rglob("*"))}
    unknown = {path: state for path, state in found.items() if path not in named and state not in mutator.states[path]}
    assert unknown == {}, {path: mutator.states[path] for path in unknown}

    listed = {row["path"].removeprefix("data/") for row in machine.succeed("ls", "latest", "--json").rows}
    lacking = {path for path in listed - {"data"} if path not in found and path not in named}
    assert lacking == set()
    assert all(
        (out / path).read_bytes() == (source / path).read_bytes() for path in ("0/stays", "1/stays and is large")
    )
