"""A name belongs to one manager at a time: on a real broker, with managers in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis import Redis

from kit.deadlines import DEADLINE_S
from kit.disks.small_disk import small_disk
from producer.broker import broker
from producer.host.state import StateFolder
from producer.manager.commands import Identity
from producer.manager.due import due_command
from producer.manager.mailbox import Mailbox
from producer.manager.presence import MANAGER_PREFIX, Presence, claim, give_up, managers, renew
from producer.manager.protocol.asks.storing import AskBackup
from producer.manager.protocol.messages import Command, decode_reply
from producer.manager.service import Manager, presence_of
from tasks.errors import InterruptedRun, LockedError

ME = presence_of("m", (), pid=os.getpid(), release="0", wire=1)
ANOTHER = replace(ME, host="far.example")
KEY = MANAGER_PREFIX + "m"

MASTER = "master." + "0" * 32
BACKUP = Command(
    run_id="ab" * 16,
    nonce="ab" * 16,
    command="backup",
    ask=AskBackup(sources=("data",)),
    json=True,
    detached=False,
    reply_to=MASTER,
    expires_s=0,
)


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
        signal.raise_signal(signal.SIGTERM)
        return False

    ending = manager(url, tmp_path, end)
    ending._runs["0" * 32] = SlowToEnd(client)  # type: ignore[assignment]

    ending.run()

    assert holder(client) is None


def test_a_manager_continues_after_an_error_that_nobody_foresaw(url: str, client: Redis, tmp_path: Path) -> None:
    looks: list[str | None] = []

    def fail_first() -> bool:
        looks.append(None)
        if len(looks) == 1:
            raise RuntimeError("nobody foresaw this")
        signal.raise_signal(signal.SIGTERM)
        return False

    manager(url, tmp_path, fail_first).run()

    assert len(looks) == 2


def test_a_manager_whose_state_disk_is_full_refuses_a_command_and_continues(
    url: str, client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter((False, False))

    def end_at_the_second_look() -> bool:
        if next(looks, None) is None:
            signal.raise_signal(signal.SIGTERM)
        return False

    monkeypatch.setattr("producer.manager.due._LOOK_EVERY_S", 0.0)
    with small_disk(tmp_path / "state") as disk:
        (disk.folder / "segments").mkdir()
        kept = manager(url, disk.folder / "ledger", end_at_the_second_look)
        disk.fill(0)
        # Some blocks are left, of which the file system does not tell.
        with suppress(OSError):
            for number in range(1000):
                (disk.folder / "segments" / str(number)).write_bytes(b"x")
        with Mailbox(url, MASTER) as master:
            master.send("command.m", replace(BACKUP, expires_s=master.now_s() + 60))
            kept.run()
            [reply] = [decode_reply(wire) for wire in master.receive(1.0)]

    assert reply.kind == "refused"
    assert "No space left on device" in reply.text


#: A manager whose schedule hangs, in a process of its own: its watchdog ends it.
HANGING = """
import os, sys, time
from pathlib import Path
from producer.manager.protocol.asks.storing import AskBackup
from producer.manager.commands import Identity
from producer.manager.service import Manager, presence_of

def hang_in_the_schedule():
    time.sleep(600)

me = presence_of("m", (), pid=os.getpid(), release="0", wire=1)
identity = Identity(presence=me, broker_url=sys.argv[1], ledger=Path(sys.argv[2]), configuration=())
Manager(identity, note=print, volumes=tuple, is_due=hang_in_the_schedule, stand_still_s=1.0).run()
"""


def test_a_manager_whose_loop_hangs_says_where_and_ends(url: str, client: Redis, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HANGING, url, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    assert done.returncode == 1
    assert "the manager has stood still" in done.stderr
    assert "hang_in_the_schedule" in done.stderr
