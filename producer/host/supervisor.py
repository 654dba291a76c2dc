"""What systemd learns from a service of ``Type=notify``: that it is ready, what it does, that its loop turns."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

_EVERY_S = 1.0


class Supervisor:
    """Without a supervisor, and with one that does not listen, all of it does nothing."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        # "@" stands for the NUL of an abstract name.
        self._address = environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._status = ""
        self._next_s = 0.0

    def ready(self) -> None:
        """The service does its work from now on."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Call it in each turn of the loop; it sends at most once a second."""
        now_s = time.monotonic()
        if now_s < self._next_s and status == self._status:
            return
        self._next_s = now_s + _EVERY_S
        self._send("WATCHDOG=1" if status == self._status else f"WATCHDOG=1\nSTATUS={status}")
        self._status = status

    def stopping(self, status: str) -> None:
        """It ends in order, which may take a while."""
        self._send(f"STOPPING=1\nSTATUS={status}")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as client:
            # A supervisor that does not read must not hold up the service.
            client.setblocking(False)
            client.sendto(text.encode(errors="replace"), self._address)
