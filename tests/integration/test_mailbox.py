"""Commands and replies on a real server, among things that are neither."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from kit.deadlines import eventually
from producer.broker import broker
from producer.host.state import StateFolder
from producer.manager.mailbox import Mailbox
from tasks.bounded_json import MAX_BYTES

INBOX = "command.m"

NO_MESSAGES = {
    "no JSON": b"garbage",
    "not even text": b"\xff\xfe",
    "nothing": b"",
    "null": b"null",
    "a number": b"17",
    "a text": b'"text"',
    "a list": b"[]",
    "no number": b'{"a": NaN}',
    "nested without end": b"[" * 100_000,
    "too large": b'{"a": "' + b"x" * MAX_BYTES + b'"}',
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with broker(None, StateFolder(path=tmp_path_factory.mktemp("s"))) as server:
        yield server.url


@pytest.fixture
def client(url: str) -> Iterator[Redis]:
    with Redis.from_url(url.replace("redis+socket", "unix", 1)) as made:
        made.flushdb()
        yield made


def test_what_is_no_message_is_passed_over_and_told_and_what_comes_after_it_is_received(
    url: str, client: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    with Mailbox(url, INBOX) as mailbox:
        for name, junk in NO_MESSAGES.items():
            client.lpush(INBOX, junk)
            mailbox.send(INBOX, {"after": name})

            assert eventually(lambda: mailbox.receive(1.0), f"what comes after {name}") == [{"after": name}]

    assert caplog.text.count("not a message, in command.m") == len(NO_MESSAGES)
    assert "broker lost" not in caplog.text


def test_an_inbox_full_of_what_is_no_message_holds_nobody_up(url: str, client: Redis) -> None:
    with Mailbox(url, INBOX) as mailbox:
        client.lpush(INBOX, *[b"garbage"] * 1000)

        assert mailbox.receive(0.1) == []

        assert client.llen(INBOX) >= 900
