"""Connections that die without a word: nothing arrives any more, and no end is notified of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from kit.deadlines import DEADLINE_S, eventually
from kit.program.halting.brake import Brake
from kit.program.machine import Machine
from kit.services.fleet import PASSWORD, Fleet
from kit.services.fleet import fleet as new_fleet
from kit.services.silent_link import SilentLink, silent_link
from kit.tree import Tree, noise
from producer.dispatch.link import Link
from tasks.broker.leases import redis_client
from tasks.broker.queues import manager_queue

#: Without limits of ours, kombu looks after 50 s, and the kernel gives up after a quarter of an hour.
BACK_S = 40.0

SMALL = ("--segment-size=256KiB", "--unit-size=64KiB")


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with new_fleet() as made:
        yield made


@pytest.fixture
def link(fleet: Fleet) -> Iterator[SilentLink]:
    with silent_link(fleet.server.port) as made:
        yield made


def url_of(link: SilentLink) -> str:
    return f"redis://:{PASSWORD}@127.0.0.1:{link.port}/0"


def source_of(fleet: Fleet) -> Path:
    return Tree({f"{n:02}": noise(100_000, seed=n) for n in range(10)}).make(fleet.folder / "data")


def agent_host(fleet: Fleet, url: str, rate: str = "") -> Machine:
    (fleet.folder / "disk").mkdir()
    return fleet.host(
        "agent", devices={"a": fleet.folder / "disk"}, sources={"data": fleet.folder / "data"}, url=url, rate=rate
    )


def test_an_agent_whose_connections_were_forgotten_takes_orders_again(fleet: Fleet, link: SilentLink) -> None:
    source_of(fleet)
    fleet.agent(agent_host(fleet, url_of(link)), "a")
    run = fleet.host("run", devices={"a": None}, sources={"data": fleet.folder / "data"})
    link.forget()

    done = run.start("backup", "data", *SMALL)

    eventually(lambda: done.has_ended, "the backup has ended", deadline_s=BACK_S)
    assert done.wait().exit_code == 0


@pytest.mark.parametrize("is_cut", [False, True], ids=["forgotten", "cut for some seconds"])
def test_a_run_whose_connections_were_forgotten_goes_on(fleet: Fleet, link: SilentLink, *, is_cut: bool) -> None:
    source_of(fleet)
    brake = Brake(fleet.folder / "brake")
    fleet.agent(agent_host(fleet, fleet.server.url, rate="64KiB"), "a", settings=brake.settings)
    run = fleet.host("run", devices={"a": None}, sources={"data": fleet.folder / "data"}, url=url_of(link))
    backup = run.start("backup", "data", *SMALL)
    eventually(lambda: any(lease.bytes_moved for lease in fleet.leases()), "the agent stores")

    link.cut() if is_cut else link.forget()
    brake.release()
    if is_cut:
        eventually(lambda: link.vain_count > 1, "the run has tried in vain")
        link.mend()
    eventually(lambda: backup.has_ended, f"the backup has ended: {backup.stderr}")

    assert backup.wait().exit_code == 0


def test_a_manager_whose_connections_were_forgotten_hears_commands_again(fleet: Fleet, link: SilentLink) -> None:
    source_of(fleet)
    fleet.agent(agent_host(fleet, fleet.server.url), "a")
    host = fleet.host("manager", devices={"a": None}, sources={"data": fleet.folder / "data"}, url=url_of(link))
    fleet.manager(host, "m")
    link.forget()
    master = fleet.host("master")

    # A command waits 5 s for its manager, which may take longer to notice on a busy machine.
    eventually(lambda: master.run("status").exit_code == 0, "the manager answers", deadline_s=BACK_S)

    assert master.run("backup", "data", *SMALL).exit_code == 0


def test_a_question_on_a_silent_link_is_asked_once(
    fleet: Fleet, link: SilentLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.broker.leases.QUICK_ANSWER_S", 0.5)
    with redis_client(url_of(link)) as client:
        assert client.ping()
        link.cut()

        for vain_count in (0, 1, 2):
            with pytest.raises(redis.TimeoutError):
                client.ping()
            assert link.vain_count == vain_count

        link.mend()
        assert client.ping()


def test_a_question_to_a_broker_that_restarts_is_asked_again(fleet: Fleet) -> None:
    with redis_client(fleet.server.url) as client:
        assert client.ping()
        fleet.server.kill()
        fleet.server.start()

        assert client.ping()


def test_closing_a_dead_connection_does_not_wait_for_its_answer(fleet: Fleet, link: SilentLink) -> None:
    def use_and_close() -> None:
        with Link(url_of(link), manager_queue("m", "0a"), ensure_broker=lambda: None) as used:
            used.receipts(0.1)
            link.cut()

    closing = threading.Thread(target=use_and_close, daemon=True)
    closing.start()
    closing.join(DEADLINE_S)
    assert not closing.is_alive()
