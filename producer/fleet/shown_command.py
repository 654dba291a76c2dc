"""The command line that ``ps`` shows of this process."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: Of the fields in /proc/PID/stat that follow the name: where the command line begins in memory, and where it ends.
_BEGIN, _END = 45, 46


def show_command(words: Sequence[str]) -> None:
    """Have ``ps`` and ``pkill -f`` see ``words`` instead, as far as there is room (Linux).

    For a process that was forked and never executed: it would pass for the one that forked it.
    """
    with suppress(OSError, IndexError, ValueError):
        fields = Path("/proc/self/stat").read_text(errors="replace").rpartition(")")[2].split()
        begin, room = int(fields[_BEGIN]), int(fields[_END]) - int(fields[_BEGIN])
        if begin and room > 0:
            # The last byte stays zero: the kernel would read on behind it.
            text = b"\0".join(map(os.fsencode, words))[: room - 1]
            ctypes.memmove(begin, text.ljust(room, b"\0"), room)
