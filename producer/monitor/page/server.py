"""Serves the page over HTTP: reads only, and answers nobody without a password but ``/healthz``."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from producer.monitor.metrics import CONTENT_TYPE, metrics_text
from producer.monitor.page.api import status_json
from producer.monitor.page.looks import Looks
from producer.monitor.page.render import page_html, policy
from tasks.errors import CatalogError, UsageError

_HTML = "text/html; charset=utf-8"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "segfleet",
}
_IDLE_S = 30.0


class Page:
    """One page.  ``open_looks`` is called in the thread that reads the catalog from then on."""

    def __init__(self, open_looks: Callable[[], Looks], users: Mapping[str, str], release: str) -> None:
        """``users``: name → password."""
        self.users = users
        self.release = release
        self._open_looks = open_looks
        self._looks: Looks | None = None
        # The catalog belongs to one thread; while it, or a broker, does not answer, the server does.
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page")

    async def read(self, answer: Callable[[Looks], bytes]) -> bytes:
        """What ``answer`` makes of the catalog; raises CatalogError."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, lambda: answer(self._get()))

    def _get(self) -> Looks:
        if self._looks is None:
            self._looks = self._open_looks()
        return self._looks

    @contextmanager
    def serving(self, address: str, port: int) -> Iterator[int]:
        """Serve during the with block, beside this thread; gives the port: a free one for 0.

        Raises UsageError for an address that cannot be used.
        """
        sockets = _bound(address, port)
        stop = Future[None]()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(sockets, stop)), daemon=True, name="page")
        thread.start()
        try:
            yield sockets[0].getsockname()[1]
        finally:
            stop.set_result(None)
            thread.join()
            self._reader.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, sockets: list[socket.socket], stop: Future[None]) -> None:
        server = HTTPServer(_application(self), idle_connection_timeout=_IDLE_S, max_body_size=0, max_header_size=16384)
        server.add_sockets(sockets)
        await asyncio.wrap_future(stop)
        server.stop()


def _bound(address: str, port: int) -> list[socket.socket]:
    try:
        return bind_sockets(port, address)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no address"
        raise UsageError(f"cannot listen on {address}:{port}: {why}", hint="choose another port or address") from error


def _application(page: Page) -> Application:
    places = [("/", _Whole), ("/api/status", _Status), ("/healthz", _Health), ("/metrics", _Metrics)]
    return Application(
        [(path, handler, {"page": page}) for path, handler in places],
        default_handler_class=_Missing,
        default_handler_args={"page": page},
        log_function=lambda handler: None,
    )


class _Handler(RequestHandler):
    SUPPORTED_METHODS = ("GET", "HEAD")
    is_open = False

    def initialize(self, page: Page) -> None:
        self.page = page

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.set_header("Content-Security-Policy", f"{policy()}; frame-ancestors 'none'")

    def prepare(self) -> None:
        if not self.is_open and not _may_look(self.request.headers.get("Authorization", ""), self.page.users):
            raise HTTPError(401)

    async def head(self) -> None:
        await self.get()

    async def get(self) -> None:
        try:
            content = await self.page.read(self.answer)
        except CatalogError as error:
            self.set_status(503)
            self._say(f"{error.message}\n".encode(errors="replace"), "text/plain; charset=utf-8")
            return
        self._say(content, self.content_type)

    content_type = _HTML

    def answer(self, looks: Looks) -> bytes:
        """The body; called in the thread of the catalog."""
        raise HTTPError(404)

    def _say(self, content: bytes, content_type: str) -> None:
        self.set_header("Content-Type", content_type)
        self.finish(content)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="segfleet", charset="UTF-8"')
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code} {self._reason}\n")


class _Missing(_Handler):
    pass


class _Whole(_Handler):
    def answer(self, looks: Looks) -> bytes:
        return page_html(looks.survey(), looks.past(), self.page.release, rates=looks.rates)


class _Status(_Handler):
    content_type = "application/json"

    def answer(self, looks: Looks) -> bytes:
        return json.dumps(status_json(looks.survey())).encode() + b"\n"


class _Metrics(_Handler):
    content_type = CONTENT_TYPE

    def answer(self, looks: Looks) -> bytes:
        return metrics_text(looks.survey(), self.page.release)


class _Health(_Handler):
    """Says the colour and nothing else, so that a load balancer or a monitor needs no password."""

    is_open = True
    content_type = "text/plain; charset=utf-8"

    def answer(self, looks: Looks) -> bytes:
        colour = looks.survey().verdict.colour
        if colour == "red":
            self.set_status(503)
        return f"{colour}\n".encode()


def _may_look(header: str, users: Mapping[str, str]) -> bool:
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return False
    try:
        name, separator, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    expected = users.get(name, "")
    is_right = hmac.compare_digest(password.encode(), expected.encode())
    return bool(separator and expected) and is_right
