"""Files of snapshots on their way to browsers: each is a restore of its own, in a process of its own."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress

from producer.monitor.page.browse import FileMeant

#: Each starts workers, or orders from agents.
AT_ONCE_COUNT = 2
_ENDS_S = 10.0


class Downloads:
    """``command``: writes a file to standard output, given a snapshot and a path; ``variables``: its environment."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._command = tuple(command)
        self._variables = dict(variables)
        self._running_count = 0

    @property
    def is_busy(self) -> bool:
        return self._running_count >= AT_ONCE_COUNT

    async def begin(self, file: FileMeant) -> Process:
        self._running_count += 1
        try:
            return await asyncio.create_subprocess_exec(
                *self._command,
                "--",
                file.snapshot_id,
                os.fsencode(file.path),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=PIPE,
                env=self._variables,
                # Ctrl-C at the page's terminal is for the page, which ends its downloads.
                start_new_session=True,
            )
        except BaseException:
            self._running_count -= 1
            raise

    async def end(self, process: Process) -> None:
        """Stop it if it still runs."""
        self._running_count -= 1
        if process.returncode is None:
            terminate(process)
            try:
                await asyncio.wait_for(process.wait(), _ENDS_S)
            except TimeoutError:
                process.kill()


def terminate(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
