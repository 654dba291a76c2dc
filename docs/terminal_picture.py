#!/usr/bin/env python3
"""Make the picture of a backup in a terminal: ``make pictures``.

A real backup runs in tmux and loses a device; its screen becomes ``docs/img/backup.svg``, with /mnt in the place of the
scratch folder.
"""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from kit.program.command import make_shim
from kit.program.halting.dying_backup import DyingBackup
from kit.program.machine import Machine
from kit.program.terminal import terminal

PICTURE = Path(__file__).parent / "img/backup.svg"
COLUMNS = 100


def draw(lines: list[str]) -> None:
    """``lines``: with escape sequences."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        console.print(Text.from_ansi(line.rstrip()))
    console.save_svg(str(PICTURE), title="segfleet backup films", unique_id="backup")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sf") as scratch:
        machine = Machine(Path(scratch))
        make_shim(machine.folder / "bin")
        environment = machine.environment({"PATH": f"{machine.folder / 'bin'}:{os.environ['PATH']}"})
        folder = machine.folder / "nas"
        folder.mkdir()
        try:
            with terminal(machine.folder / "tmux", COLUMNS, folder=folder, environment=environment) as screen:
                backup = DyingBackup(screen, folder)
                backup.start()
                backup.lose_a_device()
                lines = screen.lines(joined=True, coloured=True)
                draw([line.replace(str(folder), "/mnt") for line in lines])
                backup.end()
        finally:
            machine.end()


if __name__ == "__main__":
    main()
