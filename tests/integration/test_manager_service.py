"""A manager on a real broker, with a schedule that the test makes up."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from producer.broker import broker
from producer.manager.service import Manager, Post, presence_of
from producer.state import StateFolder
from tasks.errors import CatalogError


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(None, StateFolder(path=tmp_path_factory.mktemp("s"))) as server:
        yield server.url


def run_manager(url: str, ledger: Path, is_due: Callable[[], bool]) -> list[str]:
    """Runs a manager until it is signalled; returns what it noted."""
    notes: list[str] = []
    presence = presence_of("m", (), pid=os.getpid(), release="0", wire=1)
    post = Post(presence=presence, broker_url=url, ledger=ledger, configuration=())
    Manager(post, note=notes.append, volumes=lambda: (), is_due=is_due).run()
    return notes


def test_a_manager_without_its_catalog_says_so_once_and_goes_on(url: str, tmp_path: Path) -> None:
    answers: list[bool | CatalogError] = [CatalogError("catalog x: gone"), CatalogError("catalog x: gone"), False]

    def is_due() -> bool:
        answer = answers.pop(0)
        if isinstance(answer, CatalogError):
            raise answer
        os.kill(os.getpid(), signal.SIGTERM)
        return answer

    notes = run_manager(url, tmp_path, is_due)

    assert notes == ["the schedule stands still: catalog x: gone", "the schedule goes on"]
