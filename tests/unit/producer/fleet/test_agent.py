"""An agent outlives what keeps its workers from starting."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from producer.fleet import agent
from producer.fleet.agent import Agent


def test_an_agent_that_cannot_start_a_worker_says_so_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    tries: list[list[str]] = []

    def start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        tries.append(command)
        if len(tries) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        signal.raise_signal(signal.SIGTERM)
        return real([sys.executable, "-c", ""], stdin=subprocess.PIPE)

    real = subprocess.Popen
    monkeypatch.setattr(agent, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(agent, "_LONGEST_WAIT_S", 0.0)
    monkeypatch.setattr("producer.fleet.agent.subprocess.Popen", start)

    Agent(settings={}, devices=["a"], events=False, note=notes.append).run()

    assert len(tries) == 2
    assert notes[0].startswith("no worker of device a could be started (Resource temporarily unavailable)")
