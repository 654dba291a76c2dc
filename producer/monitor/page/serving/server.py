"""Serves the page over HTTP, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from producer.monitor.page.serving.handlers import application
from producer.monitor.page.serving.site import Site
from tasks.errors import UsageError

_IDLE_S = 30.0


@contextmanager
def serving(site: Site, address: str, port: int) -> Iterator[int]:
    """Serve during the with block, beside this thread; gives the port: a free one for 0.

    Raises UsageError for an address that cannot be used.
    """
    sockets, stop = _bound(address, port), Future[None]()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(site, sockets, stop)), daemon=True, name="page")
    thread.start()
    try:
        yield sockets[0].getsockname()[1]
    finally:
        stop.set_result(None)
        thread.join()
        site.close()


async def _serve(site: Site, sockets: list[socket.socket], stop: Future[None]) -> None:
    server = HTTPServer(application(site), idle_connection_timeout=_IDLE_S, max_body_size=0, max_header_size=16384)
    server.add_sockets(sockets)
    await asyncio.wrap_future(stop)
    server.stop()


def _bound(address: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, address)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no address"
        raise UsageError(f"cannot listen on {address}:{port}: {why}", hint="choose another port or address") from error
