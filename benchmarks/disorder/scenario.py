"""One run of chaos: made wholly from its seed, so that it can be replayed."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from disorder.blows import BLOWS
from disorder.breakages import BREAKAGES, Repair
from disorder.plan import Plan, Planned, entries_of
from disorder.promise import Sealed, prove_later, prove_now, sealed_by
from disorder.repeats import Repeats
from disorder.stage import Stage
from kit.disks.small_disk import SmallDisk, small_disk
from kit.program.command import Done
from kit.program.halting.halt import Halt
from kit.program.machine import machine as new_machine
from kit.program.processes import socket_of
from kit.program.scene import PATIENCE, Scene

#: Runs after which a snapshot must be sealed: some faults are in the way of the first ones, none of the last.
_TRIES_COUNT = 5

#: A run with faults takes some ten seconds; a minute without an end is a bug.
_END_S = 150.0

#: Of a backup: sealed, failed, refused, sealed with a list, no device, interrupted, killed.
_KNOWN_ENDS = (0, 1, 2, 3, 10, 130, -9)


@contextlib.contextmanager
def stage_for(plan: Plan, seed: str) -> Iterator[Stage]:
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(new_machine())
        disks: dict[str, SmallDisk] = {}
        for name in plan.disks:
            folder = machine.folder / f"disk-{name}"
            disks[name] = stack.enter_context(small_disk(folder, size_bytes=plan.disk_bytes))
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
            ends = Scenario(stage, plan).play()
        finally:
            repeats.end()
    return (
        f"{len(plan.devices)} devices; {'; '.join(plan.happenings)}; {repeats.repeated_count} receipts repeated; "
        f"ended with {', '.join(ends)}; {time.monotonic() - started_s:.0f} s"
    )


@dataclass(frozen=True, kw_only=True)
class _Undo:
    """Ends a fault when it is due; ``device``: it is one of a device, which stays until the run has been proved."""

    due_s: float
    undo: Callable[[], None]
    device: bool = False


class Scenario:
    """Runs the backup, and what happens to it, until it is sealed; then proves what it has promised."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._stage = stage
        self._plan = plan
        self._ends: list[str] = []
        self._sealed: list[Sealed] = []
        #: Device → what puts it right.
        self._repairs: dict[str, Repair] = {}
        self._undos: list[_Undo] = []
        #: A device was broken when the run had perhaps asked it for the last time.
        self._is_late = False
        #: What is planned for the end of a run has happened.
        self._is_end_hit = False
        #: The last snapshot was restored as a whole; devices that come back make it no worse.
        self._is_proved = False

    def play(self) -> list[str]:
        """Returns how the runs have ended."""
        try:
            self._back_up(self._plan.rounds, self._plan.at_the_end)
            if self._plan.between is not None:
                for planned in self._plan.between:
                    self._break(planned)
                self._back_up(((),), ())
        finally:
            self._repair_all()
        self._prove_all()
        return self._ends

    # ---- runs

    def _back_up(self, rounds: tuple[tuple[Planned, ...], ...], at_the_end: tuple[Planned, ...]) -> None:
        """Run the backup until it is sealed, and prove that, with the devices as they were at the seal."""
        for number in range(_TRIES_COUNT):
            done = self._run(rounds[number] if number < len(rounds) else (), () if self._is_end_hit else at_the_end)
            self._ends.append(" ".join([str(done.exit_code), *sorted({row["code"] for row in done.errors})]))
            assert done.exit_code in _KNOWN_ENDS, done
            assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done
            self._stage.machine.wait_until_quiet()
            self._stage.scene.limit(None)
            sealed = sealed_by(done, self._stage.scene.source)
            if sealed is not None:
                self._sealed.append(sealed)
                self._is_proved = not self._is_late and prove_now(self._stage, sealed)
            self._repair_all()
            if sealed is not None:
                return
        raise AssertionError(f"not sealed after {_TRIES_COUNT} runs, the last ones without a fault in the way: {done}")

    def _run(self, blows: tuple[Planned, ...], at_the_end: tuple[Planned, ...]) -> Done:
        """Run the backup to its end, with these faults on the way.

        When it returns, no process stands still any more; devices are as they were when it ended.
        """
        machine = self._stage.machine
        halt = Halt(machine.folder / f"halt{len(self._ends)}") if at_the_end else None
        settings = {**PATIENCE, **(halt.settings if halt is not None else {})}
        running = self._stage.running = machine.start(*self._stage.scene.command(), **settings)
        self._is_late = False
        self._undos, started_s, waiting, storing_s = [], time.monotonic(), list(blows), math.inf
        try:
            while not running.has_ended:
                now_s = time.monotonic() - started_s
                assert now_s < _END_S, f"the backup is still running after {now_s:.0f} s"
                if storing_s == math.inf and self._is_in("storing"):
                    storing_s = now_s
                for planned in [one for one in waiting if one.at_s <= now_s - (storing_s if one.needs_data else 0)]:
                    waiting.remove(planned)
                    self._hit(planned, now_s)
                if halt is not None and halt.is_reached:
                    self._is_end_hit = True
                    for planned in at_the_end:
                        self._hit(planned, now_s)
                    halt.release()
                    halt = None
                self._undo_due(now_s)
                time.sleep(0.02)
        finally:
            for one in self._undos:
                if not one.device:
                    one.undo()
        return running.wait(deadline_s=30)

    def _hit(self, planned: Planned, now_s: float) -> None:
        lasts_s = math.inf if planned.lasts_s is None else planned.lasts_s
        if planned.name in BREAKAGES:
            device = "" if self._is_sealing else self._break(planned)
            if device:
                self._undos.append(_Undo(due_s=now_s + lasts_s, undo=lambda: self._repair(device), device=True))
                self._is_late |= self._is_sealing
        else:
            undo = BLOWS[planned.name](self._stage, planned.device)
            if undo is not None:
                self._undos.append(_Undo(due_s=now_s + lasts_s, undo=undo))

    def _undo_due(self, now_s: float) -> None:
        for one in [one for one in self._undos if one.due_s <= now_s]:
            self._undos.remove(one)
            one.undo()

    @property
    def _is_sealing(self) -> bool:
        """Whether the run may have asked its devices for the last time; a breakage would prove nothing."""
        return self._is_in("sealing")

    def _is_in(self, phase: str) -> bool:
        """Whether the run has come to this phase."""
        return any(row.get("phase") == phase for row in self._stage.running.rows)

    # ---- devices

    def _break(self, planned: Planned) -> str:
        """Break the device, or another one where that is not possible; returns which, or nothing."""
        others = [name for name in self._stage.scene.names if name != planned.device]
        for device in [planned.device, *others]:
            repair = None if device in self._stage.broken else BREAKAGES[planned.name](self._stage, device)
            if repair is not None:
                self._stage.broken.add(device)
                self._repairs[device] = repair
                if device != planned.device:
                    self._ends.append(f"({planned.name} {device})")
                return device
        self._ends.append(f"(no {planned.name})")
        return ""

    def _repair(self, device: str) -> None:
        repair = self._repairs.pop(device, None)
        if repair is not None:
            repair()
            self._stage.broken.discard(device)

    def _repair_all(self) -> None:
        for device in list(self._repairs):
            self._repair(device)

    # ---- the proof, when all devices are right again

    def _prove_all(self) -> None:
        machine, flags = self._stage.machine, self._stage.scene.flags
        left = self._sealed[:-1] if self._is_proved else self._sealed
        lost = {sealed.snapshot_id: prove_later(self._stage, sealed) for sealed in left}
        if self._stage.deleted:
            return
        check = machine.run("check", "--read-data", "--json", *flags)
        machine.wait_until_quiet()
        assert self._stage.scene.left_over() == [], self._stage.scene.left_over()
        assert check.exit_code == (3 if any(lost.values()) else 0), check
        rows = machine.succeed("snapshots", "--json").rows_of("snapshot")
        marked = {row["snapshot_id"] for row in rows if row["incomplete"]}
        assert marked == {snapshot_id for snapshot_id, paths in lost.items() if paths}, rows
