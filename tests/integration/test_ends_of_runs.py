"""The end of a run reaches the broker, whatever the broker and the manager do at that moment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.services.fleet import RedisServer
from producer.manager.ledger import Ledger
from producer.manager.mailbox import Mailbox
from producer.manager.presence import RunStatus, runs, tell_run
from producer.manager.protocol.asks.restoring import AskRestore
from producer.manager.protocol.asks.storing import AskBackup
from producer.manager.protocol.messages import Command, decode_reply
from producer.manager.reports import Reports
from producer.manager.unfinished import RESTARTED, HowEnded, Unfinished

RUN = "ab" * 16
MASTER = "master." + "0" * 32
RUNNING = RunStatus(run_id=RUN, manager="m", command="backup", words=("data",), state="running", started="2026")
DONE = RunStatus(
    run_id=RUN, manager="m", command="backup", words=("data",), state="done", started="2026", ended="2027", exit_code=0
)
BACKUP = Command(
    run_id=RUN,
    nonce=RUN,
    command="backup",
    ask=AskBackup(sources=("data",)),
    json=True,
    detached=False,
    reply_to=MASTER,
    expires_s=1,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def mailbox(server: RedisServer) -> Iterator[Mailbox]:
    with Mailbox(server.url, "command.m") as made:
        yield made


def states(server: RedisServer) -> list[tuple[str, int | None, str]]:
    return [(run.state, run.exit_code, run.reason) for run in runs(server.client())]


def test_an_end_that_the_broker_did_not_take_is_reported_when_it_is_back(server: RedisServer, mailbox: Mailbox) -> None:
    reported: list[RunStatus] = []
    reports = Reports(mailbox, on_end_reported=reported.append)
    reports.run(RUNNING)
    server.kill()

    reports.run(DONE)
    assert reported == []
    server.start()
    reports.repeat()

    assert states(server) == [("done", 0, "")]
    assert reported == [DONE]


def test_an_end_that_a_broker_loses_in_its_restart_is_reported_again(
    server: RedisServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.manager.reports._REPEAT_EVERY_S", 0.0)
    reports = Reports(mailbox, on_end_reported=lambda status: None)
    reports.run(DONE)
    tell_run(server.client(), RUNNING)

    reports.repeat()

    assert states(server) == [("done", 0, "")]


def unfinished(mailbox: Mailbox, folder: Path, how_ended: HowEnded, *commands: Command) -> Unfinished:
    ledger = Ledger(folder)
    for command in commands:
        assert ledger.add(command)
    reports = Reports(mailbox, on_end_reported=lambda status: ledger.remove(status.run_id))
    return Unfinished("m", ledger, reports, how_ended, note=lambda text: None)


def replies(server: RedisServer) -> list[tuple[str, int]]:
    with Mailbox(server.url, MASTER) as master:
        found = [decode_reply(wire) for wire in master.receive(1.0)]
    return [(reply.kind, reply.exit_code) for reply in found]


def test_a_backup_that_the_catalog_has_as_ended_is_reported_and_not_begun_again(
    server: RedisServer, mailbox: Mailbox, tmp_path: Path
) -> None:
    found = unfinished(mailbox, tmp_path / "ledger", lambda run_id: 3, BACKUP)

    assert found.to_resume() == []

    assert states(server) == [("done", 3, "")]
    assert replies(server) == [("end", 3)]
    assert os.listdir(tmp_path / "ledger") == []


@pytest.mark.parametrize("code", [None, 130])
def test_a_backup_that_was_broken_off_is_resumed(mailbox: Mailbox, tmp_path: Path, code: int | None) -> None:
    found = unfinished(mailbox, tmp_path / "ledger", lambda run_id: code, BACKUP)

    assert found.to_resume() == [BACKUP]


def test_a_restore_that_was_broken_off_is_reported_as_interrupted(
    server: RedisServer, mailbox: Mailbox, tmp_path: Path
) -> None:
    ask = AskRestore(snapshot="latest", target="back")
    restore = Command(
        run_id=RUN, nonce=RUN, command="restore", ask=ask, json=True, detached=False, reply_to=MASTER, expires_s=1
    )
    found = unfinished(mailbox, tmp_path / "ledger", lambda run_id: None, restore)

    assert found.to_resume() == []

    assert states(server) == [("interrupted", 130, RESTARTED)]
    assert replies(server) == [("err", 0), ("end", 130)]


def test_a_run_that_only_the_broker_has_as_running_is_reported_as_ended(
    server: RedisServer, mailbox: Mailbox, tmp_path: Path
) -> None:
    tell_run(server.client(), RUNNING)

    unfinished(mailbox, tmp_path / "ledger", lambda run_id: None).end_forgotten(mailbox, frozenset())

    assert states(server) == [("interrupted", 130, RESTARTED)]
