"""In a forked manager: its commands as forks of a process beside it, which is forked before the manager has threads.

Only what starts them is another; what they run is ``python -m producer.cli.on_behalf`` all the same.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import IO, Any

import producer.manager.child
from kit.program.forking.forks import OF_THE_START, Forked, Link, differing

_MODULE = "producer.cli.on_behalf"
#: The name of such a process: its command line is that of the process it was forked from.
ON_BEHALF = "on-behalf"


def fork_children(serve: Callable[[socket.socket], None]) -> None:
    """Have this process, a manager, fork its commands; ``serve`` forks them, in another process, and never returns."""
    ours, end = socket.socketpair()
    if not os.fork():
        ours.close()
        os.setsid()
        serve(end)
    end.close()
    start = _Starting(Link(ours))
    vars(producer.manager.child).update(subprocess=SimpleNamespace(**{**vars(subprocess), "Popen": start}))


class _Starting:
    def __init__(self, link: Link) -> None:
        self._link = link

    def __call__(self, command: Sequence[str], *, stdin: IO[bytes], env: Mapping[str, str], **how: Any) -> Any:
        """The part of :class:`subprocess.Popen` that :class:`producer.manager.child.Child` needs."""
        at = command.index(_MODULE)
        if any(name.startswith(OF_THE_START) for name in differing(env, os.environ)):
            return subprocess.Popen(command, stdin=stdin, env=env, **how)
        (stdout, stdout_end), (stderr, stderr_end) = os.pipe(), os.pipe()
        call = {
            "command": list(command[: at + 1]),
            "arguments": list(command[at + 1 :]),
            "environment": dict(env),
            "folder": os.getcwd(),
            "closed": [],
        }
        try:
            pid = self._link.fork(call, [stdin.fileno(), stdout_end, stderr_end])
        finally:
            os.close(stdout_end)
            os.close(stderr_end)
        return Forked(pid, os.fdopen(stdout, "rb"), os.fdopen(stderr, "rb"))
