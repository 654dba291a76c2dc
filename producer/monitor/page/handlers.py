"""The answers of the page: reads only, and nothing without a password but ``/healthz``."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from tornado.web import Application, HTTPError, RequestHandler

from producer.host.safe_text import escaped
from producer.monitor.metrics import CONTENT_TYPE, metrics_text
from producer.monitor.page.api import status_json
from producer.monitor.page.browsing import folder_html, snapshots_html
from producer.monitor.page.looks import Looks
from producer.monitor.page.render import page_html, policy
from producer.monitor.page.site import Site
from tasks.errors import CatalogError, UsageError

_HTML = "text/html; charset=utf-8"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "segfleet",
}


def application(site: Site) -> Application:
    places = [("/", _Whole), ("/api/status", _Status), ("/healthz", _Health), ("/metrics", _Metrics)]
    places += [("/snapshots", _Snapshots), ("/browse", _Folder)]
    return Application(
        [(path, handler, {"site": site}) for path, handler in places],
        default_handler_class=_Missing,
        default_handler_args={"site": site},
        log_function=lambda handler: None,
    )


class _Handler(RequestHandler):
    SUPPORTED_METHODS = ("GET", "HEAD")
    is_open = False

    def initialize(self, site: Site) -> None:
        self.site = site

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.set_header("Content-Security-Policy", f"{policy()}; frame-ancestors 'none'")

    def prepare(self) -> None:
        if not self.is_open and not _may_look(self.request.headers.get("Authorization", ""), self.site.users):
            raise HTTPError(401)

    async def head(self) -> None:
        await self.get()

    async def get(self) -> None:
        try:
            content = await self.site.read(self.answer)
        except (CatalogError, UsageError) as error:
            # What a reader asks for may not be there.
            self.set_status(404 if isinstance(error, UsageError) else 503)
            self._say(f"{escaped(error.message)}\n".encode(), "text/plain; charset=utf-8")
            return
        self._say(content, self.content_type)

    content_type = _HTML

    def asked(self, name: str) -> str:
        """An argument of the URL; names may hold bytes that are not UTF-8."""
        return dict(parse_qsl(self.request.query, errors="surrogateescape")).get(name, "")

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
        return page_html(looks.survey(), looks.past(), self.site.release, rates=looks.rates)


class _Status(_Handler):
    content_type = "application/json"

    def answer(self, looks: Looks) -> bytes:
        return json.dumps(status_json(looks.survey())).encode() + b"\n"


class _Metrics(_Handler):
    content_type = CONTENT_TYPE

    def answer(self, looks: Looks) -> bytes:
        return metrics_text(looks.survey(), self.site.release)


class _Snapshots(_Handler):
    def answer(self, looks: Looks) -> bytes:
        return snapshots_html(looks.catalog, self.asked("volume"))


class _Folder(_Handler):
    def answer(self, looks: Looks) -> bytes:
        return folder_html(looks.catalog, self.asked("snapshot"), self.asked("path"))


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
