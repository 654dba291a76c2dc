"""A process that imports the program once, and forks a command from itself as often as :mod:`kit.program.forked` asks.

    python -P template.py DESCRIPTOR

Calls come through the socket DESCRIPTOR.  Each command is a process in a session of its own, with the arguments,
environment, folder and standard streams of its call.  It ends as any other process of the interpreter does.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import socket
import struct
import sys
import time
from importlib import import_module
from typing import Any

import producer

#: The length of the JSON that follows; comes with standard input, output and error.
LENGTH = struct.Struct("<Q")
STREAMS_COUNT = 3
#: Not imported by commands: programs of their own, and steps that Alembic runs.
_LEFT_OUT = ("__main__", ".migrations", ".broker.keeper", ".thaw_guard", ".cli.on_behalf")


def main() -> None:
    """Serve until the other end is closed; returns in each command, as what that is to be."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    _import_program()
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
    for module in pkgutil.walk_packages(producer.__path__, "producer."):
        if not any(part in module.name for part in _LEFT_OUT):
            import_module(module.name)
    # What SQLAlchemy, Celery and Kombu import when they need it first.
    for name in ("sqlalchemy.dialects.sqlite", "kombu.transport.redis", "celery.app.amqp", "celery.app.base"):
        import_module(name)


def _is_adopted_fork() -> bool:
    """Fork once more and end; True in the new process, once whoever has asked is its parent."""
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
    os.environ.clear()
    os.environ.update(call["environment"])
    time.tzset()
    sys.argv[1:] = call["arguments"]
    sys.orig_argv[:] = [*call["command"], *call["arguments"]]
    os.chdir(call["folder"])
    asked.sendall(LENGTH.pack(os.getpid()))
    asked.close()


def _receive(asked: socket.socket, count_bytes: int) -> bytes:
    data = bytearray()
    while len(data) < count_bytes:
        more = asked.recv(count_bytes - len(data))
        if not more:
            os._exit(0)
        data += more
    return bytes(data)


if __name__ == "__main__":
    main()
    from producer.cli.start import main as run

    run()
