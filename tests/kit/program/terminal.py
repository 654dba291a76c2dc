"""A terminal of a given width, by tmux: what a person sees of a command."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kit.deadlines import eventually
from kit.needs import program

_ROWS_COUNT = 150

#: Each look at the screen is a process of its own.
_PAUSE_S = 0.05


class Terminal:
    def __init__(self, socket: Path, columns: int) -> None:
        self.columns = columns
        self._commands_count = 0
        self._tmux = [program("tmux"), "-S", str(socket), "-f", "/dev/null"]

    def open(self, folder: Path, environment: Mapping[str, str]) -> None:
        size = ["-x", str(self.columns), "-y", str(_ROWS_COUNT)]
        self._run("new-session", "-d", *size, "-c", str(folder), "sh", environment=environment)
        self._run("set-option", "-g", "history-limit", "5000")

    def type(self, command: str) -> None:
        """Start a command on an empty screen."""
        self._commands_count += 1
        # Computed, so that the line that is typed is not the one that is waited for.
        self._run("send-keys", f"clear; {command}; echo end of $(({self._commands_count - 1} + 1))", "Enter")

    def keys(self, *keys: str) -> None:
        """Press keys: texts, or names such as Tab and Enter."""
        for key in keys:
            self._run("send-keys", key)

    def interrupt(self) -> None:
        """Ctrl-C, and wait for the end of the command."""
        self.keys("C-c")
        end = f"end of {self._commands_count}"
        self.wait_for(lambda shown: end in shown, "the command has ended")

    def lines(self, *, joined: bool = False, coloured: bool = False) -> list[str]:
        """What is on the screen; ``joined``: lines that the terminal has broken at its edge are one.

        ``coloured``: with the escape sequences of colours.
        """
        shown = self._run("capture-pane", "-p", *(["-J"] if joined else []), *(["-e"] if coloured else []))
        return [line.rstrip() for line in shown.rstrip("\n").split("\n")]

    def wait_for(self, wanted: Callable[[list[str]], object], what: str) -> list[str]:
        """The first screen that is ``wanted``."""

        def look() -> list[str] | None:
            lines = self.lines()
            return lines if wanted(lines) else None

        found = eventually(look, what, pause_s=_PAUSE_S)
        assert found is not None
        return found

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        command = [*self._tmux, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (shlex.join(command), done.stderr)
        return done.stdout


@contextmanager
def terminal(socket: Path, columns: int, *, folder: Path, environment: Mapping[str, str]) -> Iterator[Terminal]:
    """A new terminal with a shell in ``folder``; ``socket``: a short path for the server's socket."""
    made = Terminal(socket, columns)
    # Who runs the tests may have said how wide his own terminal is.
    environment = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
    try:
        made.open(folder, {**environment, "PS1": "", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"})
        yield made
    finally:
        made.close()
