"""What a command prints on a terminal of a given width: a fork of the command on a terminal that nobody draws."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import termios
from pathlib import Path

from kit.program.command import SEGFLEET
from kit.program.forking.forked import fork
from kit.program.machine import Machine

_ROWS_COUNT = 150
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def printed(machine: Machine, columns: int, *arguments: str | Path, only_output: bool = False) -> list[str]:
    """The lines of standard output and error, without their colours; ``only_output``: of commands that draw bars."""
    ours, screen = pty.openpty()
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS_COUNT, columns, 0, 0))
        environment = machine.environment({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"})
        # Who runs the tests may have said how wide his own terminal is.
        environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        fork(
            SEGFLEET,
            [str(argument) for argument in arguments],
            environment=environment,
            folder=machine.folder,
            outputs=(screen, nothing if only_output else screen),
        )
    finally:
        os.close(screen)
        os.close(nothing)
    with open(ours, "rb", buffering=0) as terminal:
        return _ESCAPES.sub("", _read_all(terminal.fileno()).decode(errors="surrogateescape")).splitlines()


def _read_all(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:
            # Linux's word for the end of all who wrote.
            return said
        said += read
