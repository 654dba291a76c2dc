"""The operator's page, served from a catalog beside the test."""

from __future__ import annotations

import base64
import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.deadlines import DEADLINE_S
from producer.catalog.catalog import Catalog
from producer.monitor.fleet import FleetStatus
from producer.monitor.page.looks import Looks
from producer.monitor.page.serving.downloads import Downloads
from producer.monitor.page.serving.server import serving
from producer.monitor.page.serving.site import Site

USER = "operator:hunter2"


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


class Browser:
    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, *, user: str = USER, method: str = "GET", more: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"} if user else {}
        headers |= more or {}
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return Answer(status=answer.status, headers=dict(answer.getheaders()), text=answer.read().decode())
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def served_page(
    location: str | Path, fleet: FleetStatus | None = None, downloads: Downloads | None = None
) -> Iterator[Browser]:
    name, _, password = USER.partition(":")
    logs = Path(location).parent / "logs"
    site = Site(
        lambda: Looks(Catalog(location), lambda: fleet), {name: password}, "1.2.3", logs=logs, downloads=downloads
    )
    with serving(site, "127.0.0.1", 0) as port:
        yield Browser(port)
