"""What a broker's list of clients tells of agents, and when it is not to be trusted: asked of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from producer.broker import broker
from producer.dispatch import link as link_module
from producer.dispatch.link import Link
from producer.host.state import StateFolder
from tasks.broker.leases import client_name


@pytest.fixture
def link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    """A manager's link to a broker at which an agent of device a is connected."""
    monkeypatch.delenv("SEGFLEET_BROKER_URL", raising=False)
    with broker(None, StateFolder(path=tmp_path)) as private:
        socket = private.url.removeprefix("redis+socket://")
        agent = redis.Redis(unix_socket_path=socket, client_name=client_name("a", "there", 7))
        agent.ping()
        with Link(private.url, "manager.test", ensure_broker=lambda: None) as made:
            yield made
        agent.close()


def test_an_agent_is_among_the_clients_of_a_broker_that_has_run_for_a_while(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "_COMING_BACK_S", -1)
    connected = link.connected()
    assert connected is not None
    assert client_name("a", "there", 7) in connected
    assert client_name("b", "there", 7) not in connected


def test_a_broker_that_has_just_begun_says_nothing_about_who_is_not_there(link: Link) -> None:
    assert link.connected() is None
