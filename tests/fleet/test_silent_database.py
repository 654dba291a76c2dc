"""A PostgreSQL that stands still while a backup stores: shorter than the limit nobody notices, longer ends the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.compare import differences
from kit.program.command import Done
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.services.postgres import PostgresServer
from kit.tree import Tree, noise

TREE = Tree({f"d/{n:02}": noise(150_000, seed=n) for n in range(20)})
SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")
#: A worker without progress for so long is replaced.  A slow device may take three seconds for a unit when all is busy.
STALL_S = 6.0


class Backup:
    """A backup of 3 MB onto two slow devices, with a catalog on PostgreSQL."""

    def __init__(self, machine: Machine, postgres: PostgresServer, **settings: str) -> None:
        self.machine = machine
        self._postgres = postgres
        self.source = TREE.make(machine.folder / "data")
        self.brake = Brake(machine.folder / "brake")
        table = "".join(f'[devices.{name}]\nmax-rate = "64KiB"\n' for name in "ab")
        (machine.folder / "segfleet.toml").write_text(table)
        self.settings = {"SEGFLEET_CATALOG_URL": postgres.new_database()}
        self.words: tuple[str | Path, ...] = ("backup", self.source, *machine.devices("a b"), *SMALL, "--json")
        self.running = machine.start(*self.words, **self.settings, **self.brake.settings, **settings)
        self.running.wait_until_storing()

    @contextmanager
    def without_database(self) -> Iterator[None]:
        with self._postgres.standing_still():
            self.brake.release()
            yield

    def restored(self, done: Done) -> list[str]:
        target = self.machine.folder / "back"
        self.machine.succeed("restore", done.summary["snapshot_id"], "--target", target, **self.settings)
        return differences(self.source, target / "data")


def test_workers_that_had_nothing_to_do_meanwhile_are_not_called_hung(
    machine: Machine, postgres: PostgresServer
) -> None:
    backup = Backup(machine, postgres, SEGFLEET_STALL_S=str(STALL_S))
    with backup.without_database():
        time.sleep(2 * STALL_S)

    done = backup.running.wait()

    assert done.exit_code == 0, done
    assert {device["state"] for device in done.summary["devices"].values()} == {"live"}
    assert "replacing" not in done.stderr
    assert backup.restored(done) == []


def test_a_run_ends_and_says_why_and_the_same_command_continues_it(machine: Machine, postgres: PostgresServer) -> None:
    backup = Backup(machine, postgres, SEGFLEET_CATALOG_LIMIT_S="1")
    with backup.without_database():
        failed = backup.running.wait()

    done = machine.run(*backup.words, **backup.settings)

    assert failed.exit_code == 1, failed
    assert "has not answered for 1 s" in failed.stderr or "connection timeout expired" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert done.exit_code == 0, done
    assert "continuing snapshot" in done.stderr
    assert backup.restored(done) == []
