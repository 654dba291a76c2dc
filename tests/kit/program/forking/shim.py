"""A ``segfleet`` for scripts that has its commands forked by the process that runs the tests.

It is a small program that hands over its arguments, environment, folder and standard streams, and ends as the command
does; the command is a child of the tests, and ends with the program.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from kit.program.command import SEGFLEET
from kit.program.forking.forked import fork_with, has_to_be_executed
from kit.program.forking.forks import LENGTH, STREAMS_COUNT

#: The length of the JSON comes with the streams; the answers are a process id, 0 for "execute it", and an exit code.
_PROGRAM = """
import json, os, signal, socket, struct, sys

asked = socket.socket(socket.AF_UNIX)
asked.connect(sys.argv[1])
call = json.dumps({"arguments": sys.argv[3:], "environment": dict(os.environ), "folder": os.getcwd()}).encode()
socket.send_fds(asked, [struct.pack("<Q", len(call))], [0, 1, 2])
asked.sendall(call)
(pid,) = struct.unpack("<q", asked.recv(8, socket.MSG_WAITALL))
if not pid:
    command = [*json.loads(sys.argv[2]), *sys.argv[3:]]
    os.execv(command[0], command)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.kill(pid, number))
(code,) = struct.unpack("<q", asked.recv(8, socket.MSG_WAITALL))
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""

_ANSWER = struct.Struct("<q")


def make_forking_shim(folder: Path, adopt: Callable[[int], None]) -> Path:
    """Make a ``segfleet`` in the new ``folder``, and return its path; ``adopt`` is told of each command's process."""
    folder.mkdir()
    program, shim, place = folder / "shim.py", folder / "segfleet", folder / "socket"
    program.write_text(_PROGRAM)
    shim.write_text(f"#!/bin/sh\nexec {sys.executable} -I -S {program} {place} '{json.dumps(SEGFLEET)}' \"$@\"\n")
    shim.chmod(0o755)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(place))
    listening.listen()
    threading.Thread(target=_serve, args=(listening, adopt), daemon=True).start()
    return shim


def _serve(listening: socket.socket, adopt: Callable[[int], None]) -> None:
    while True:
        asked, _ = listening.accept()
        threading.Thread(target=_answer, args=(asked, adopt), daemon=True).start()


def _answer(asked: socket.socket, adopt: Callable[[int], None]) -> None:
    with asked, suppress(ConnectionError):
        head, streams, _, _ = socket.recv_fds(asked, LENGTH.size, STREAMS_COUNT)
        try:
            text = asked.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL) if head else b""
            if not text.endswith(b"}"):
                # The program was killed while it asked.
                return
            call = json.loads(text)
            pid = 0 if has_to_be_executed(call["environment"]) else _fork(call, streams)
        finally:
            for stream in streams:
                os.close(stream)
        if pid:
            adopt(pid)
        asked.sendall(_ANSWER.pack(pid))
        if pid:
            _follow(pid, asked)


def _fork(call: dict[str, Any], streams: list[int]) -> int:
    return fork_with(streams, SEGFLEET, call["arguments"], environment=call["environment"], folder=Path(call["folder"]))


def _follow(pid: int, asked: socket.socket) -> None:
    """Report how the command ends; end it when the program does."""
    handle = os.pidfd_open(pid)
    try:
        ready, _, _ = select.select([handle, asked.fileno()], [], [])
        if handle not in ready:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(handle)
    asked.sendall(_ANSWER.pack(os.waitstatus_to_exitcode(status)))
