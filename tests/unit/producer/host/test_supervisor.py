"""What a service manager hears."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer.fleet.agent import Agent
from producer.host.supervisor import Supervisor


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(str(tmp_path / "notify"))
        opened.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield opened


def heard(listener: socket.socket) -> list[str]:
    messages = []
    while True:
        try:
            messages.append(listener.recv(4096).decode())
        except BlockingIOError:
            return messages


def test_a_service_is_ready_alive_and_stopping(listener: socket.socket) -> None:
    supervisor = Supervisor()
    supervisor.ready()
    for _ in range(3):
        supervisor.alive("waiting")
    supervisor.alive("running: backup")
    supervisor.stopping("in order")
    assert heard(listener) == [
        "READY=1",
        "WATCHDOG=1\nSTATUS=waiting",
        "WATCHDOG=1\nSTATUS=running: backup",
        "STOPPING=1\nSTATUS=in order",
    ]


def test_an_abstract_socket_is_reached_too() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0segfleet-test-supervisor")
        Supervisor({"NOTIFY_SOCKET": "@segfleet-test-supervisor"}).ready()
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"NOTIFY_SOCKET": "x" * 200}])
def test_nobody_who_listens_is_no_trouble(environ: dict[str, str]) -> None:
    supervisor = Supervisor(environ)
    supervisor.ready()
    supervisor.alive("waiting")
    supervisor.stopping("")


def test_an_agent_says_that_it_is_ready_and_that_it_stops(listener: socket.socket) -> None:
    agent = Agent(settings={}, devices=(), events=False, note=print)
    agent._stopping = True
    agent.run()
    assert heard(listener) == ["READY=1", "STOPPING=1\nSTATUS=the workers finish their current orders"]
