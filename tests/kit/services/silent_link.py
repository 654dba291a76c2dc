"""A link to a server that can fall silent: nothing is forwarded any more, and nobody is told.

So behaves a firewall that has forgotten its connections, and a host that has lost its power.  To both ends the
connections look whole, as the kernel of this host answers for the other side.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SilentLink:
    """Forwards connections from a port of its own to a port on loopback."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        self._is_cut = False
        #: Connections that were made while the link was cut.
        self.vain_count = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def forget(self) -> None:
        """No connection of now carries another byte, and none is closed; new ones work."""
        with self._lock:
            self._forgotten.update(self._sockets)

    def cut(self) -> None:
        """As :meth:`forget`, for new connections too."""
        self._is_cut = True
        self.forget()

    def mend(self) -> None:
        """New connections work again."""
        self._is_cut = False

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for end in self._sockets:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                return
            with self._lock:
                self._sockets += [near, far]
                if self._is_cut:
                    self.vain_count += 1
                    self._forgotten |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if source in self._forgotten:
                    return
                sink.sendall(data)
            if source not in self._forgotten:
                sink.shutdown(socket.SHUT_WR)


@contextmanager
def silent_link(port: int) -> Iterator[SilentLink]:
    link = SilentLink(port)
    try:
        yield link
    finally:
        link.end()
