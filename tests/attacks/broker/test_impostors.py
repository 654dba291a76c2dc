"""Somebody between a host and its broker, who answers in the broker's place with a certificate of his own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from kit.services.fleet import PASSWORD, Fleet
from tasks.app import app, connect
from tasks.broker.connections import verified
from tasks.broker.leases import redis_client


class Impostor:
    """Listens on loopback with a certificate that nobody has signed, and keeps what it is sent."""

    def __init__(self, folder: Path) -> None:
        self.heard = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*self_signed(folder))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rediss://:{PASSWORD}@127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._serve, daemon=True).start()

    def end(self) -> None:
        # Wakes the thread, which close alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), client, self._context.wrap_socket(client, server_side=True) as stream:
                stream.settimeout(5)
                self.heard += stream.recv(4096)


def self_signed(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "impostor.crt", folder / "impostor.key"
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-x509", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", "req", *options, *names, *files], check=True, capture_output=True, timeout=60)
    return certificate, key


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[Impostor]:
    made = Impostor(tmp_path)
    try:
        yield made
    finally:
        made.end()


def test_no_part_of_a_fleet_sends_its_password_to_an_impostor(fleet: Fleet, impostor: Impostor) -> None:
    (fleet.folder / "data").mkdir()
    (fleet.folder / "disk").mkdir()
    host = fleet.host(
        "host", devices={"a": fleet.folder / "disk"}, sources={"data": fleet.folder / "data"}, url=impostor.url
    )
    for command in (("worker", "a"), ("manager", "m"), ("flower",), ("backup", "data"), ("status",)):
        done = host.run(*command, FLOWER_BASIC_AUTH="me:secret")
        assert done.exit_code == 1, done
        assert "certificate" in done.stderr.lower()
        assert "Traceback" not in done.stderr
    assert impostor.heard == b""


def test_no_client_sends_a_password_before_it_has_verified_the_server(impostor: Impostor) -> None:
    with pytest.raises(redis.ConnectionError, match=r"(?i)certificate"):
        redis_client(impostor.url).ping()
    previous = app.conf.broker_url
    try:
        connect(impostor.url, "test", "test")
        assert app.conf.broker_url == verified(impostor.url)
        with app.connection_for_read() as connection, pytest.raises(Exception, match=r"(?i)certificate"):
            connection.transport.create_channel(connection.transport.establish_connection()).client.ping()
    finally:
        app.conf.broker_url = previous
    assert impostor.heard == b""


def test_only_a_plain_word_lets_the_impostor_in(fleet: Fleet, impostor: Impostor) -> None:
    host = fleet.host("host", url=impostor.url)
    done = host.run("status", SEGFLEET_BROKER_INSECURE_SKIP_VERIFY="1")
    assert done.exit_code == 1
    assert impostor.heard != b""
