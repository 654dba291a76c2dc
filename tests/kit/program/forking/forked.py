"""Commands as forks of one process that has imported the program: to import it takes as long as the rest of a command.

A command that starts in a special way, by variables of the interpreter or the C library, is executed instead, and so
are all that have :data:`EXECUTED` among their variables.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from kit.program.forking import template
from kit.program.forking.forks import OF_THE_START, Forked, Link, differing
from kit.program.halting import brake
from kit.repository import REPOSITORY

#: Settings of commands that must not be forked, because a test looks at their memory or their command line.
EXECUTED = {"SEGFLEET_TESTS_EXECUTE": "1"}

#: The locale that an interpreter begins with where none is set.
_OF_AN_INTERPRETER = "C.UTF-8"


@cache
def _template() -> tuple[Link, dict[str, str]]:
    """The process to fork from, and the environment that it was started with."""
    ours, end = socket.socketpair()
    with end:
        subprocess.Popen(
            [sys.executable, "-P", "-c", template.CODE, str(end.fileno()), str(REPOSITORY / "tests")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[end.fileno()],
            start_new_session=True,
        )
    return Link(ours), dict(os.environ)


def start(
    command: Sequence[str], arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path
) -> Forked | subprocess.Popen[bytes]:
    """Start ``command``, which is that of segfleet, with ``arguments``, in a session of its own."""
    if command[0] != sys.executable or has_to_be_executed(environment):
        return subprocess.Popen(
            [*command, *arguments],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C at the terminal of the tests is not meant for it.
            start_new_session=True,
        )
    (stdout, stdout_end), (stderr, stderr_end) = os.pipe(), os.pipe()
    try:
        pid = fork(command, arguments, environment=environment, folder=folder, outputs=(stdout_end, stderr_end))
    finally:
        os.close(stdout_end)
        os.close(stderr_end)
    return Forked(pid, os.fdopen(stdout, "rb"), os.fdopen(stderr, "rb"))


def fork(
    command: Sequence[str],
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    outputs: tuple[int | None, int | None],
) -> int:
    """As :func:`start`, with standard output and error of the caller's; returns the process id of the new child.

    Where the caller has none, the command begins with that descriptor closed.
    """
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        return fork_with([nothing, *outputs], command, arguments, environment=environment, folder=folder)
    finally:
        os.close(nothing)


def fork_with(
    streams: Sequence[int | None],
    command: Sequence[str],
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
) -> int:
    """As :func:`fork`, with standard input too."""
    call = {
        "command": list(command),
        "arguments": list(arguments),
        "environment": dict(environment),
        "folder": str(folder),
        "closed": [place for place, stream in enumerate(streams) if stream is None],
    }
    there = next(stream for stream in streams if stream is not None)
    return _template()[0].fork(call, [there if stream is None else stream for stream in streams])


def has_to_be_executed(environment: Mapping[str, str]) -> bool:
    """Whether a command with these variables cannot be a fork."""
    if EXECUTED.items() <= os.environ.items() or EXECUTED.items() <= environment.items():
        return True
    # The process to fork from may have been started under others.
    if any(signal.getsignal(number) is signal.SIG_IGN for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        return True
    _, usual = _template()
    braked = brake.is_alone_in(environment)
    changed = differing(environment, usual) - {"PYTHONPATH" if braked else ""}
    if environment.get("LC_ALL") == _OF_AN_INTERPRETER and sys.getfilesystemencoding() == "utf-8":
        changed = {name for name in changed if not name.startswith(("LC_", "LANG"))}
    return any(name.startswith(OF_THE_START) for name in changed)
