"""One run of chaos: made wholly from its seed, so that it can be replayed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from disorder.blows import BLOWS
from disorder.repeats import Repeats
from disorder.stage import Stage
from kit.disks.small_disk import MIB, SmallDisk, small_disk
from kit.program.command import Done
from kit.program.machine import machine as new_machine
from kit.program.processes import socket_of
from kit.program.scene import PATIENCE, Scene
from kit.tree import Entry, HardLink, Symlink, noise

#: Runs after which a snapshot must be sealed: some faults are in the way of the first ones, none of the last.
_TRIES_COUNT = 5

#: A run with faults takes some ten seconds; a minute without an end is a bug.
_END_S = 150.0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One blow: what, when after the command's start, on which device, and for how long."""

    at_s: float
    name: str
    device: str
    lasts_s: float

    def __str__(self) -> str:
        return f"{self.name} {self.device} at {self.at_s:.1f} for {self.lasts_s:.1f} s"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a seed stands for.  The first element of ``rounds`` hits the first run, and so on."""

    devices: tuple[str, ...]
    disks: tuple[str, ...]
    rates: Mapping[str, str]
    rounds: tuple[tuple[Planned, ...], ...]
    repeats_share: float

    @classmethod
    def of(cls, seed: str, *, with_disks: bool) -> Plan:
        dice = Random(seed)
        devices = tuple("abcdef"[: dice.randint(2, 6)])
        rounds = [_round(dice, devices, dice.randint(1, 4))]
        if dice.random() < 0.3:
            rounds.append(_round(dice, devices, dice.randint(1, 2)))
        return cls(
            devices=devices,
            disks=tuple(dice.sample(devices, min(2, len(devices)))) if with_disks else (),
            rates={name: f"{dice.randint(1000, 4000) * 2 // len(devices)}KiB" for name in devices},
            rounds=tuple(rounds),
            repeats_share=dice.choice([0.0, 0.5, 1.0]),
        )


def _round(dice: Random, devices: tuple[str, ...], count: int) -> tuple[Planned, ...]:
    blows = [
        Planned(
            at_s=dice.uniform(0.8, 6.0),
            name=dice.choice(list(BLOWS)),
            device=dice.choice(devices),
            lasts_s=dice.uniform(0.5, 9.0),
        )
        for _ in range(count)
    ]
    return tuple(sorted(blows, key=lambda blow: blow.at_s))


def entries_of(seed: str) -> dict[str | bytes, Entry | bytes]:
    """Some hundred small files, links, an empty file, and some large files: 4 to 8 MiB."""
    dice = Random(f"{seed} tree")
    entries: dict[str | bytes, Entry | bytes] = {
        f"d{number % 7}/{number:03}": noise(dice.randint(0, 9000), number) for number in range(dice.randint(150, 300))
    }
    for number in range(dice.randint(1, 3)):
        entries[f"large{number}"] = noise(dice.randint(MIB, 3 * MIB), number + 1000)
    return entries | {"empty": b"", "symlink": Symlink("large0"), "again": HardLink("large0"), b"\xff not utf-8": b"x"}


@contextlib.contextmanager
def stage_for(plan: Plan, seed: str) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(new_machine())
        disks: dict[str, SmallDisk] = {}
        for name in plan.disks:
            disks[name] = stack.enter_context(small_disk(machine.folder / f"disk-{name}", size_bytes=32 * MIB))
        stack.callback(machine.end)
        folders: dict[str, Path] = {name: disk.folder for name, disk in disks.items()}
        scene = Scene(machine, " ".join(plan.devices), entries=entries_of(seed), folders=folders)
        scene.limit(None, **plan.rates)
        yield Stage(machine, scene, disks)


def play(seed: str) -> str:
    """Play the scenario of a seed and prove that nothing was lost; returns a line about it.  Raises AssertionError."""
    plan = Plan.of(seed, with_disks=os.geteuid() == 0)
    started_s = time.monotonic()
    with stage_for(plan, seed) as stage:
        repeats = Repeats(str(socket_of(stage.machine)), Random(f"{seed} repeats"), share=plan.repeats_share)
        try:
            ends = _run_until_sealed(stage, plan)
        finally:
            repeats.end()
    blows = "; ".join(str(blow) for blows in plan.rounds for blow in blows)
    return (
        f"{len(plan.devices)} devices; {blows}; {repeats.repeated_count} receipts repeated; "
        f"ended with {', '.join(ends)}; {time.monotonic() - started_s:.0f} s"
    )


def _run_until_sealed(stage: Stage, plan: Plan) -> list[str]:
    ends: list[str] = []
    for number in range(_TRIES_COUNT):
        done = _run(stage, plan.rounds[number] if number < len(plan.rounds) else ())
        ends.append(" ".join([str(done.exit_code), *(row["code"] for row in done.errors if "code" in row)]))
        assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done
        stage.machine.wait_until_quiet()
        if done.exit_code == 0:
            stage.scene.prove(done)
            return ends
        stage.scene.limit(None)
    raise AssertionError(f"not sealed after {_TRIES_COUNT} runs without a fault in the way: {done}")


def _run(stage: Stage, blows: tuple[Planned, ...]) -> Done:
    """Run the backup to its end, with these blows on the way; all of them are undone when it returns."""
    running = stage.running = stage.machine.start(*stage.scene.command(), **PATIENCE)
    started_s, waiting, undos = time.monotonic(), list(blows), list[tuple[float, Callable[[], None]]]()
    try:
        while not running.has_ended:
            now_s = time.monotonic() - started_s
            assert now_s < _END_S, f"the backup is still running after {now_s:.0f} s"
            while waiting and waiting[0].at_s <= now_s:
                blow = waiting.pop(0)
                undo = BLOWS[blow.name](stage, blow.device)
                if undo is not None:
                    undos.append((now_s + blow.lasts_s, undo))
            for entry in [entry for entry in undos if entry[0] <= now_s]:
                undos.remove(entry)
                entry[1]()
            time.sleep(0.02)
    finally:
        for _, undo in undos:
            undo()
    return running.wait(deadline_s=30)
