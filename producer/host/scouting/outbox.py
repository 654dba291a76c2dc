"""What a scout has to report while nobody reads it: it goes on with its work, and keeps the reports.

A scout that was started early finds more than a pipe holds before the process that wants it is ready.
"""

from __future__ import annotations

import os
import select
import threading
from contextlib import suppress
from typing import Any

from producer.host.scouting.scouts import OUTPUT, packed

#: 100 bytes an entry: 300,000 files.
_KEEPS_BYTES = 32 * 1024 * 1024

_WRITE_BYTES = 1024 * 1024


class Outbox:
    """The reports of this scout, from any of its threads, in the order in which they are sent."""

    def __init__(self, output: int = OUTPUT, keeps_bytes: int = _KEEPS_BYTES) -> None:
        self._output = output
        self._keeps_bytes = keeps_bytes
        self._kept = bytearray()
        #: Whoever holds it alone sends.
        self.lock = threading.RLock()
        # Only this process writes there.
        os.set_blocking(output, False)

    def send(self, kind: str, content: Any) -> None:
        """Waits for the reader only when too much is kept."""
        with self.lock:
            self._kept += packed(kind, content)
            self._write()
            while len(self._kept) > self._keeps_bytes:
                self._wait()

    def send_last(self, kind: str, content: Any) -> None:
        """The same, and wait until all is with the reader."""
        with self.lock:
            self._kept += packed(kind, content)
            while self._kept:
                self._wait()

    def send_kept(self) -> None:
        """Send what the pipe has room for by now, unless another thread is about to."""
        if self._kept and self.lock.acquire(blocking=False):
            try:
                self._write()
            finally:
                self.lock.release()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._output, select.POLLOUT)
        poll.poll()
        self._write()

    def _write(self) -> None:
        with suppress(BlockingIOError):
            while self._kept:
                with memoryview(self._kept)[:_WRITE_BYTES] as part:
                    written = os.write(self._output, part)
                del self._kept[:written]
