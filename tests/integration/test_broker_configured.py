"""A configured broker: checked before anything else happens, and named without its password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from producer.broker import broker
from producer.host.state import StateFolder
from tasks.errors import BrokerError


@pytest.fixture
def state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> StateFolder:
    monkeypatch.delenv("SEGFLEET_BROKER_URL", raising=False)
    return StateFolder(path=tmp_path_factory.mktemp("s"))


@pytest.fixture
def unused(tmp_path: Path) -> StateFolder:
    """The state folder of a command that must not start a server of its own."""
    return StateFolder(path=tmp_path / "unused")


@contextmanager
def listener(answers: dict[bytes, bytes], otherwise: bytes) -> Iterator[int]:
    """A port that answers Redis commands from a table."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as requests:
                while head := requests.readline():  # *<count>, then $<length> and the word, count times
                    words = [requests.readline() and requests.readline() for _ in range(int(head[1:]))]
                    connection.sendall(answers.get(words[0].strip(), otherwise))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(timeout=10)


def test_a_configured_broker_comes_before_the_private_one(state: StateFolder, unused: StateFolder) -> None:
    with broker(None, state) as private, broker(private.url, unused) as configured:
        assert configured.url == private.url
        assert not configured.embedded
        assert configured.pid is None
        configured.ensure_running()
    assert not unused.broker_dir.exists()


def test_a_user_with_few_rights_is_enough(state: StateFolder, unused: StateFolder) -> None:
    with broker(None, state) as private:
        client = Redis(unix_socket_path=str(state.broker_dir / "broker.sock"))
        client.execute_command("ACL SETUSER device reset on >secret -@all +ping +hello +auth +select +client|setname")
        url = private.url.replace("redis+socket://", "redis+socket://device:secret@")
        with broker(url, unused) as configured:
            assert configured.url == url


def test_a_wrong_password_is_told_without_the_password(state: StateFolder, unused: StateFolder) -> None:
    with broker(None, state) as private:
        url = private.url.replace("redis+socket://", "redis+socket://device:secret@")
        with pytest.raises(BrokerError, match="cannot be used") as caught, broker(url, unused):
            pass
    assert "secret" not in caught.value.message
    assert "device:***@" in caught.value.message


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:secret@127.0.0.1:1/0", "Connection refused"),
        ("redis://:secret@nowhere.invalid/0", "cannot be used"),
        ("redis+socket:///nowhere/broker.sock", "No such file"),
        ("redis://:sec/ret@host/0", "is malformed"),
        ("redis://:secret@127.0.0.1:99999999/0", "is malformed"),
        ("redis://:secret@127.0.0.1/database", "is malformed"),
        ("amqp://me:secret@host", "must start with one of"),
        ("me:secret@host", "must start with one of"),
    ],
)
def test_a_url_that_leads_nowhere_is_named_without_its_password(unused: StateFolder, url: str, says: str) -> None:
    with pytest.raises(BrokerError, match=says) as caught, broker(url, unused):
        pass
    assert "sec" not in caught.value.message


def test_a_server_that_never_answers_fails_in_seconds(unused: StateFolder) -> None:
    with (
        listener({}, otherwise=b"") as port,
        pytest.raises(BrokerError, match="Timeout"),
        broker(f"redis://127.0.0.1:{port}/0", unused),
    ):
        pass


def test_something_else_on_the_port_is_a_clear_error(unused: StateFolder) -> None:
    with (
        listener({}, otherwise=b"HTTP/1.1 400 Bad Request\r\n\r\n") as port,
        pytest.raises(BrokerError, match="cannot be used"),
        broker(f"redis://127.0.0.1:{port}/0", unused),
    ):
        pass


@pytest.mark.parametrize(
    "hello",
    [
        pytest.param(b"-ERR unknown command `HELLO`, with args beginning with: `3`\r\n", id="before 6.0"),
        pytest.param(b"%2\r\n+version\r\n+6.0.16\r\n+proto\r\n:3\r\n", id="6.0"),
    ],
)
def test_a_server_that_is_too_old_is_refused(unused: StateFolder, hello: bytes) -> None:
    with (
        listener({b"HELLO": hello, b"PING": b"+PONG\r\n"}, otherwise=b"+OK\r\n") as port,
        pytest.raises(BrokerError, match=r"is older than version 6\.2"),
        broker(f"redis://127.0.0.1:{port}/0", unused),
    ):
        pass
