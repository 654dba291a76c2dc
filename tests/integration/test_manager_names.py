"""A name belongs to one manager at a time: on a real broker, with managers in this process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from producer.broker import broker
from producer.host.state import StateFolder
from producer.manager.due import due_command
from producer.manager.presence import MANAGER_PREFIX, Presence, claim, give_up, managers, renew
from producer.manager.service import Identity, Manager, presence_of
from tasks.errors import InterruptedRun, LockedError

ME = presence_of("m", (), pid=os.getpid(), release="0", wire=1)
ANOTHER = replace(ME, host="far.example")
KEY = MANAGER_PREFIX + "m"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(None, StateFolder(path=tmp_path_factory.mktemp("s"))) as server:
        yield server.url


@pytest.fixture
def client(url: str) -> Iterator[Redis]:
    with Redis.from_url(url.replace("redis+socket", "unix", 1)) as made:
        made.flushdb()
        yield made


def holder(client: Redis) -> Presence | None:
    return managers(client).get("m")


def manager(url: str, ledger: Path, is_due: Callable[[], bool] = lambda: False) -> Manager:
    identity = Identity(presence=ME, broker_url=url, ledger=ledger, configuration=())
    return Manager(identity, note=lambda text: None, volumes=lambda: (), is_due=is_due)


@pytest.mark.parametrize("other", [ANOTHER, replace(ME, pid=1), replace(ME, since="2026-01-01T00:00:00Z")])
def test_a_manager_that_slept_neither_takes_its_name_back_nor_gives_it_up_for_another(
    client: Redis, other: Presence
) -> None:
    assert claim(client, other)
    client.persist(KEY)

    assert not renew(client, ME)
    give_up(client, ME)

    assert holder(client) == other


def test_a_manager_renews_and_gives_up_its_own_name_whatever_its_volumes_are_by_then(client: Redis) -> None:
    assert claim(client, ME)
    later = replace(ME, volumes=("data",))

    assert renew(client, later)
    assert holder(client) == later
    give_up(client, ME)

    assert holder(client) is None


def test_a_name_that_the_broker_has_lost_is_written_again(client: Redis) -> None:
    assert renew(client, ME)
    assert holder(client) == ME


def test_a_manager_whose_name_was_given_away_ends_and_leaves_the_name_to_the_other(
    url: str, client: Redis, tmp_path: Path
) -> None:
    def name_is_given_away() -> bool:
        client.delete(KEY)
        assert claim(client, ANOTHER)
        client.persist(KEY)
        return False

    with pytest.raises(LockedError, match="another manager named m has taken over"):
        manager(url, tmp_path, name_is_given_away).run()

    assert holder(client) == ANOTHER


class SlowToEnd:
    """A run that has ended once its manager's name, lost when it was told to stop, is there again."""

    def __init__(self, client: Redis) -> None:
        self.command = due_command()
        self._client = client
        self._is_stopping = False

    def look(self) -> int | None:
        return InterruptedRun.exit_code if self._is_stopping and self._client.exists(KEY) else None

    def pause(self) -> None:
        self._client.delete(KEY)
        self._is_stopping = True

    def kill(self) -> None:
        pytest.fail("it did not end in time")


def test_a_manager_keeps_its_name_while_its_runs_stop(url: str, client: Redis, tmp_path: Path) -> None:
    def end() -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return False

    ending = manager(url, tmp_path, end)
    ending._runs["0" * 32] = SlowToEnd(client)  # type: ignore[assignment]

    ending.run()

    assert holder(client) is None
