"""A backup that takes some seconds, so that faults hit it in the middle; and the proof that nothing was lost."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from kit.compare import differences
from kit.program.command import Done, Row, Running
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.program.proof import check_data, pool_of, restore
from kit.tree import Entries, Tree, noise

MIB = 1024 * 1024

#: Short patience, so that a test need not wait for what a disk would be given.
PATIENCE = {"SEGFLEET_STALL_S": "6", "SEGFLEET_REJOIN_S": "1"}

#: Two large files and many small ones, 8 MiB in all: 8 pieces and some bundles with the steps below.
ENTRIES: Entries = {
    "large": noise(5 * MIB, 1),
    "larger": noise(2 * MIB + 12_345, 2),
    **{f"small/{number:03}": noise(5_000, number) for number in range(200)},
}

#: Ten units to a segment: a throttled device still moves every tenth of a second.
_STEPS = ("--segment-size=640KiB", "--unit-size=64KiB", "--reserve=64KiB", "--level=1", "--threads=1", "--volume=scene")


class Scene:
    """A source, and devices of a limited rate, on a machine.

    The devices are in the configuration file, by ``folders`` (name → folder) or by name below the machine's own.
    """

    def __init__(
        self,
        machine: Machine,
        names: str = "a b c",
        *,
        entries: Entries = ENTRIES,
        rate: str = "1MiB",
        folders: Mapping[str, Path] | None = None,
    ) -> None:
        self.machine = machine
        self.names = names.split()
        self.source = Tree(entries).make(machine.folder / "data")
        self._folders = {name: machine.device(name) for name in self.names} | dict(folders or {})
        for folder in self._folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        self.brake = Brake(machine.folder / "brake")
        self.limit(rate)

    def folder(self, name: str) -> Path:
        return self._folders[name]

    def limit(self, rate: str | None, **rates: str) -> None:
        """Hold all devices to ``rate`` a second, and those named to their own; None: full speed."""
        tables = []
        for name, folder in self._folders.items():
            own = rates.get(name, rate)
            line = f'max-rate = "{own}"\n' if own else ""
            tables.append(f'[devices.{name}]\npath = "{folder}"\n{line}')
        (self.machine.folder / "segfleet.toml").write_text("\n".join(tables))

    # ---- the backup

    def start(self, *options: str, **settings: str) -> Running:
        """Start the backup; returns when the first bytes are under way."""
        running = self.machine.start(*self.command(*options), **{**PATIENCE, **self.brake.settings, **settings})
        self.wait_until_stored(running, 1)
        return running

    def finish(self, running: Running) -> Done:
        """Let the devices of a backup under way be as fast as their disks, and wait for its end.

        Fails the test when the backup has ended before: then what the test did to it came too late.
        """
        assert not running.has_ended, running.wait()
        self.brake.release()
        return running.wait()

    def command(self, *options: str) -> tuple[str | Path, ...]:
        return ("backup", self.source, *_STEPS, *options, "--json")

    def wait_until_stored(self, running: Running, count: int, device: str | None = None) -> Row:
        """The first report that ``count`` segments are stored, on ``device`` or on all together."""

        def is_so(row: Row) -> bool:
            devices = row.get("devices", {}) if row.get("phase") == "storing" else {}
            chosen = devices.values() if device is None else [devices[device]] if device in devices else []
            return bool(sum(each["segments_done"] for each in chosen) >= count)

        return running.wait_for_row(is_so, f"{count} segments are stored")

    def go_on(self, **settings: str) -> Done:
        """Run the same backup again, at full speed; fails the test unless it ends with 0."""
        self.limit(None)
        return self.machine.succeed(*self.command(), **{**PATIENCE, **settings})

    # ---- the proof

    def prove(self, done: Done) -> None:
        """The backup that ended with ``done`` is whole: books, devices and every byte, and nothing is left over."""
        assert done.exit_code == 0, done
        summary = done.summary
        stored_count = sum(device["segments"] for device in summary["devices"].values())
        assert stored_count == summary["segments"], summary
        of_snapshot = sum(device["bytes_source"] for device in summary["devices"].values())
        # A run that continued another one has read only the rest.
        is_resumed = "continuing snapshot" in done.stderr
        assert summary["bytes_read"] <= of_snapshot and (is_resumed or summary["bytes_read"] == of_snapshot), summary
        self.limit(None)
        self.machine.wait_until_quiet()
        with pool_of(self.machine, self._folders) as pool:
            check_data(pool)
        self.restore_and_compare()
        assert self.left_over() == [], self.left_over()

    def prove_again(self) -> Done:
        """Store all files once more, to the devices as they are now, and prove that."""
        self.limit(None)
        done = self.machine.succeed(*self.command("--force"), **PATIENCE)
        self.prove(done)
        return done

    def restore_and_compare(self, names: str = "") -> None:
        """From these devices alone, or from all."""
        target = Path(tempfile.mkdtemp(dir=self.machine.folder))
        with pool_of(self.machine, {name: self._folders[name] for name in names.split() or self._folders}) as pool:
            restore(pool, target)
        assert differences(self.source, target / self.source.name) == []

    def left_over(self) -> list[Path]:
        """Temporary files on the devices that are there."""
        return [path for folder in self._folders.values() if folder.exists() for path in folder.rglob("*.tmp")]

    @property
    def flags(self) -> list[str]:
        """Its devices as options."""
        return [f"--device={name}={folder}" for name, folder in self._folders.items()]
