"""Standard output and standard error that may be closed, full or broken.

What a backup has stored does not depend on who reads its report, so output that cannot be written stops only the
commands whose whole result it is: lists and dumps.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from tasks.errors import OutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_READ_ONLY, _WRITE_ONLY = os.O_RDONLY, os.O_WRONLY

#: What takes the place of standard input, output and error when they are closed.  Writing to an output that is open for
#: reading only fails, so that a closed standard output is noticed; messages have nowhere to go anyway.
_STAND_INS = {0: _READ_ONLY, 1: _READ_ONLY, 2: _WRITE_ONLY}


class GuardedOutput:
    """The standard output of this process; ``is_the_result``: a command that cannot write it has failed."""

    def __init__(self) -> None:
        self.is_the_result = True
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise OutputError if some of the result could not be written."""
        if self._failure is not None and self.is_the_result:
            raise OutputError.of(self._failure)

    def fail(self, error: OSError) -> None:
        """Called at the first failure; what follows is dropped."""
        self._failure = error
        self.check()
        print(f"segfleet: {OutputError.of(error).message}; the command continues without it", file=sys.stderr)


class _Guarded(io.RawIOBase):
    """Writes to ``descriptor`` until that fails; from then on it drops everything."""

    def __init__(self, descriptor: int, on_failure: Callable[[OSError], None]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._on_failure = on_failure
        self._failed = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        while not self._failed:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # The parent process may share a non-blocking pipe with this one.
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._failed = True
                self._on_failure(error)
        return memoryview(data).nbytes


def guard_output() -> GuardedOutput:
    """Replace ``sys.stdout`` and ``sys.stderr`` for the rest of the process's life."""
    _open_what_is_closed()
    guarded = GuardedOutput()
    sys.stderr = _text(_Guarded(2, lambda error: None), errors="backslashreplace", each_line=True)
    errors = getattr(sys.stdout, "errors", "strict")
    sys.stdout = _text(
        _Guarded(1, guarded.fail), errors="backslashreplace" if errors == "strict" else errors, each_line=os.isatty(1)
    )
    return guarded


def _open_what_is_closed() -> None:
    """Or the catalog, or a socket, would become file 1, and be written to by the next ``print``."""
    for descriptor, flags in _STAND_INS.items():
        try:
            os.fstat(descriptor)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            os.set_inheritable(os.open(os.devnull, flags), True)


def _text(raw: _Guarded, *, errors: str, each_line: bool) -> io.TextIOWrapper:
    encoding = getattr(sys.stdout or sys.stderr, "encoding", "utf-8")
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=each_line)
