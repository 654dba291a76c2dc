"""A backup in a terminal that is slow enough to be watched, and loses a device."""

from __future__ import annotations

from pathlib import Path

from kit.program.terminal import Terminal
from kit.tree import Tree, noise

#: In the order in which they are given, which is not that of the alphabet.
DEVICES = ("usb", "cellar", "attic")
_LOST = "cellar"
_STEPS = "--segment-size=640KiB --unit-size=64KiB --reserve=64KiB --level=1 --threads=1"
#: It is not asked again.
_FOR_GOOD = "SEGFLEET_REJOIN_S=600"


class DyingBackup:
    """``folder`` is new; the terminal's shell finds segfleet."""

    def __init__(self, screen: Terminal, folder: Path) -> None:
        self._screen = screen
        self._folder = folder

    def start(self) -> list[str]:
        """The bars, once each device has stored something."""
        source = Tree({f"film-{n}": noise(900_000, seed=n) for n in range(9)}).make(self._folder / "films")
        tables = []
        for name in DEVICES:
            (self._folder / name).mkdir()
            tables.append(f'[devices.{name}]\npath = "{self._folder / name}"\nmax-rate = "128KiB"\n')
        (self._folder / "segfleet.toml").write_text("".join(tables))
        configuration = f"--config {self._folder}/segfleet.toml"
        self._screen.type(f"{_FOR_GOOD} segfleet backup {source} {_STEPS} {configuration}")
        return self._screen.wait_for(
            lambda lines: all("KiB/s" in line for line in bars_in(lines)) and len(bars_in(lines)) == len(DEVICES) + 1,
            "each device stores something",
        )

    def lose_a_device(self) -> list[str]:
        """The bars, once the device is dead."""
        (self._folder / _LOST).rename(self._folder / "gone")
        return self._screen.wait_for(
            lambda lines: any(line.split()[0] == _LOST and "dead" in line for line in bars_in(lines)),
            f"device {_LOST} is dead",
        )

    def end(self) -> None:
        """Interrupt the backup, and wait for its end."""
        self._screen.interrupt()


def bars_in(lines: list[str]) -> list[str]:
    """Those of the devices and of the whole, in their order on the screen."""
    return [line for line in lines if line.split()[:1] in [[name] for name in (*DEVICES, "all")]]
