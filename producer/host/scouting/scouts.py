"""A scout: a process that looks at files in our place, so that a file system that never answers costs nothing else.

Anyone who looks at a mount whose server hangs waits, and may not even be killed: not a thread then, but a process that
can be left behind.  It holds nothing: no lock, no connection, no output of ours.
"""

from __future__ import annotations

import fcntl
import gc
import marshal
import os
import select
import signal
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn, Self

from producer.host.descriptors import close_all_above
from tasks.errors import SegfleetError

#: The descriptor of the pipe in the scout.
OUTPUT = 3

_LENGTH = struct.Struct("<Q")

#: How often the reading process looks whether it is wanted still.
_BEAT_MS = 250
_READ_BYTES = 1024 * 1024

_is_scout = False

#: Scouts that had not ended when they were left behind.
_left: set[int] = set()


class Scout:
    """One scout, as the process that started it sees it; to be used in a with block."""

    def __init__(self, work: Callable[[], None]) -> None:
        """``work``, in the scout, reports with :func:`report`."""
        _reap_left()
        self._output, write_end = os.pipe()
        with suppress(OSError):
            # Neither waits for the other so soon, nor wakes it so often.
            fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, _READ_BYTES)
        with warnings.catch_warnings():
            # Other threads may hold locks: the scout takes none of theirs, and runs nothing but its work.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            _work_and_exit(work, write_end)
        os.close(write_end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._output)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        # One that waits for a server that hangs does not end: it is not waited for.
        for pause_ms in (0.2, 0.5, 1, 2, 5, 10, 20, 60):
            if _has_ended(self._pid):
                return
            time.sleep(pause_ms / 1000)
        _left.add(self._pid)

    def reports(self, beat: Callable[[], None]) -> Iterator[tuple[str, Any]]:
        """What it reports; ``beat`` is called while there is nothing, and may raise.

        Raises SegfleetError when the scout ends: its work says with a report of its own that it is done.
        """
        buffer = bytearray()
        poll = select.poll()
        poll.register(self._output, select.POLLIN)
        while True:
            while not poll.poll(_BEAT_MS):
                beat()
            part = os.read(self._output, _READ_BYTES)
            if not part:
                raise SegfleetError("a process that looks at files ended early", hint="run the command again")
            buffer += part
            start = 0
            while len(buffer) - start >= _LENGTH.size:
                end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
                if end > len(buffer):
                    break
                yield marshal.loads(memoryview(buffer)[start + _LENGTH.size : end])
                start = end
            del buffer[:start]


def _has_ended(pid: int) -> bool:
    """Whether it has; it is no zombie then."""
    with suppress(ChildProcessError):
        return bool(os.waitpid(pid, os.WNOHANG)[0])
    return True


def _reap_left() -> None:
    """A process that runs for months would keep each as a zombie, which the system counts."""
    _left.difference_update([pid for pid in list(_left) if _has_ended(pid)])


def is_scout() -> bool:
    """Whether this process is one."""
    return _is_scout


def report(kind: str, content: Any) -> None:
    """Send plain values to the process that started this scout."""
    view = memoryview(packed(kind, content))
    while view:
        view = view[os.write(OUTPUT, view) :]


def packed(kind: str, content: Any) -> bytes:
    """A report as it is written to :data:`OUTPUT`."""
    data = marshal.dumps((kind, content))
    return _LENGTH.pack(len(data)) + data


def _work_and_exit(work: Callable[[], None], output: int) -> NoReturn:
    global _is_scout
    _is_scout = True
    try:
        _let_go_of_all_but(output)
        work()
    finally:
        os._exit(0)


def _let_go_of_all_but(output: int) -> None:
    """Neither locks nor connections may outlive their owner here, and nobody may wait for our output."""
    gc.disable()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.dup2(output, OUTPUT)
    close_all_above(OUTPUT)
