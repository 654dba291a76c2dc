"""The command whose output is backed up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from tasks.errors import StreamError, UsageError

#: After SIGTERM.
_PATIENCE_S = 5.0

_LOOK_EVERY_S = 0.1


class Output(Protocol):
    """What a stream is read from."""

    @property
    def descriptor(self) -> int: ...

    def check_end(self, on_wait: Callable[[], None]) -> None:
        """Called at the end of the stream.  Raises StreamError if that is not its whole."""


class StandardInput:
    descriptor = 0

    def check_end(self, on_wait: Callable[[], None]) -> None:
        """A pipe does not tell whether its writer failed."""


class CommandOutput:
    def __init__(self, program: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        self.descriptor = process.stdout.fileno()
        self._program = program
        self._process = process

    def check_end(self, on_wait: Callable[[], None]) -> None:
        """Wait until the command has ended; raises StreamError if it has failed."""
        while True:
            try:
                code = self._process.wait(timeout=_LOOK_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                on_wait()
        if code:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            raise StreamError(
                f"the command {self._program} ended {how}", hint="nothing was backed up; see its output above"
            )


@contextmanager
def opened(command: Sequence[str]) -> Iterator[Output]:
    """The output of ``command``, which ends with the block; (): standard input.

    The command has our standard input and standard error.  When this process is killed, it ends at its next write, as
    in any pipe.  Raises UsageError when it cannot be started.
    """
    if not command:
        yield StandardInput()
        return
    sys.stderr.flush()
    try:
        process = subprocess.Popen(list(command), stdout=subprocess.PIPE)
    except OSError as error:
        raise UsageError(f"cannot run {command[0]}: {error.strerror}", hint="check the command after --") from error
    with process:
        try:
            yield CommandOutput(command[0], process)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
