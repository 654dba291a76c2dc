"""A process that imports the program once, and forks commands from itself when :mod:`kit.program.forking.forked` asks.

Calls come through a socket.  Each command is a process in a session of its own, with the arguments, environment, folder
and standard streams of its call.  It ends as any other process of the interpreter does.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import producer
import workers
from kit.program.forking.forked_children import ON_BEHALF, fork_children
from kit.program.forking.forked_workers import fork_workers
from kit.program.forking.forks import LENGTH, STREAMS_COUNT
from kit.program.forking.warmed import warm_up
from producer.cli.on_behalf import main as run_on_behalf
from producer.cli.start import main as run
from workers.process.fork import IMPORTED_BY_CELERY

#: Of an interpreter that cannot write at its end what it has printed.
_EXIT_CODE_NOT_FLUSHED = 120
#: Not imported by commands: programs of their own, and steps that Alembic runs.
_LEFT_OUT = ("__main__", ".migrations", ".broker.keeper", ".thaw_guard")

#: What it is started with: the socket's descriptor, and the folder of this package, which commands do not see.
CODE = "import sys; sys.path.append(sys.argv[2]); from kit.program.forking.template import main; main()"


def main() -> None:
    """Serve until the other end is closed, and in each process that is forked carry out its command line."""
    sys.path.remove(sys.argv[2])
    _import_program()
    warm_up()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    _end(_exit_code(run))


def _serve_children(asked: socket.socket) -> NoReturn:
    """As :func:`main`, for a manager's commands."""
    _serve(asked)
    Path("/proc/self/comm").write_text(ON_BEHALF)
    _end(_exit_code(run_on_behalf))


def _exit_code(carry_out: Callable[[], int]) -> int:
    try:
        return carry_out()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1


def _end(code: int) -> NoReturn:
    """What an interpreter does at its end, but to destroy every object that it has imported.

    That would copy all memory shared with the process it was forked from, which is half of a short command's time.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or _EXIT_CODE_NOT_FLUSHED
    os._exit(code)


def _serve(asked: socket.socket) -> None:
    """Returns in each command."""
    gc.collect()
    # Nothing of this is garbage later; what the collector ignores stays shared.
    gc.freeze()
    while True:
        head, streams, _, _ = socket.recv_fds(asked, LENGTH.size, STREAMS_COUNT)
        if not head:
            os._exit(0)
        call = json.loads(_receive(asked, LENGTH.unpack(head)[0]))
        child = os.fork()
        if child == 0 and _is_adopted_fork():
            _become(call, streams, asked)
            return
        for stream in streams:
            os.close(stream)
        os.waitpid(child, 0)


def _import_program() -> None:
    for package in (producer, workers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # What needs something that is missing says so in the command that is to use it.
            if not any(part in module.name for part in _LEFT_OUT):
                with suppress(ImportError, OSError):
                    import_module(module.name)
    # What SQLAlchemy, Celery and Kombu import when they need it first.
    late = ("sqlalchemy.dialects.sqlite", "kombu.transport.redis", "celery.app.amqp", "celery.app.base")
    for name in (*late, *IMPORTED_BY_CELERY):
        import_module(name)


def _is_adopted_fork() -> bool:
    """Fork once more and end; True in the new process, once anyone who has asked is its parent."""
    own_pid = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == own_pid:
        time.sleep(0.0005)
    return True


def _become(call: dict[str, Any], streams: list[int], asked: socket.socket) -> None:
    os.setsid()
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)
    for place, name in enumerate(("stdin", "stdout", "stderr")):
        if place in call["closed"]:
            # As an interpreter leaves them that begins without.
            os.close(place)
            setattr(sys, name, None)
    fork_workers()
    os.environ.clear()
    os.environ.update(call["environment"])
    time.tzset()
    sys.argv[1:] = call["arguments"]
    sys.orig_argv[:] = [*call["command"], *call["arguments"]]
    os.chdir(call["folder"])
    asked.sendall(LENGTH.pack(os.getpid()))
    asked.close()
    if "manager" in call["arguments"]:
        fork_children(_serve_children)


def _receive(asked: socket.socket, count_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < count_bytes:
        more = asked.recv(count_bytes - len(data))
        if not more:
            os._exit(0)
        data += more
    return bytes(data)
