"""What all answers of the page have in common: the password, the headers, and how an error is said."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from tornado.web import HTTPError, RequestHandler

from producer.host.safe_text import escaped
from producer.monitor.page.looks import Looks
from producer.monitor.page.render import policy
from producer.monitor.page.serving.site import Site
from tasks.errors import CatalogError, UsageError

Found = TypeVar("Found")

_HTML = "text/html; charset=utf-8"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "segfleet",
}


class Handler(RequestHandler):
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
        content = await self.found(self.answer)
        if content is not None:
            self._say(content, self.content_type)

    async def found(self, look: Callable[[Looks], Found]) -> Found | None:
        """What ``look`` finds in the catalog; None after it was answered that it is not there."""
        try:
            return await self.site.read(look)
        except (CatalogError, UsageError) as error:
            # What a reader asks for may not be there.
            self.refuse(404 if isinstance(error, UsageError) else 503, error.message)
            return None

    def refuse(self, status: int, why: str) -> None:
        self.set_status(status)
        self._say(f"{escaped(why)}\n".encode(), "text/plain; charset=utf-8")

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
