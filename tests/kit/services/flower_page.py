"""The page of ``segfleet flower``, and questions to it."""

from __future__ import annotations

import base64
import json
import socket
import urllib.error
import urllib.request
from typing import Any

from kit.deadlines import DEADLINE_S, eventually
from kit.program.forking.forked import EXECUTED
from kit.program.machine import Machine

USER = "operator:hunter2"


class Page:
    """The page that a command serves on a port of its own."""

    def __init__(self, machine: Machine) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = machine.start("flower", "--port", str(self.port), FLOWER_BASIC_AUTH=USER, **EXECUTED)
        eventually(lambda: self.status_of("/healthcheck") == 200, "Flower answers")

    def ask(self, path: str, *, user: str = USER, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        if user:
            request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
        with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
            content: bytes = answer.read()
        return content

    def status_of(self, path: str, *, user: str = USER, data: bytes | None = None) -> int:
        try:
            self.ask(path, user=user, data=data)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            return 0
        return 200

    def tasks(self) -> list[dict[str, Any]]:
        return list(json.loads(self.ask("/api/tasks")).values())

    def storers(self) -> set[str]:
        """The workers that have stored a segment."""
        return {
            task["worker"] for task in self.tasks() if (task["name"], task["state"]) == ("segfleet.store", "SUCCESS")
        }
