"""A worker that has done its order, and whose connections to the broker died meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NoReturn

import kombu.transport.redis
import pytest
from kombu import Connection

from kit.services.fleet import PASSWORD, RedisServer
from kit.services.silent_link import SilentLink, silent_link
from tasks.app import queue, transport_options
from tasks.broker import door
from tasks.broker.queues import unacked_keys
from workers.process import acknowledging

QUEUE = "device.a"
KEYS = unacked_keys(QUEUE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path_factory.mktemp("broker"))
    yield made
    made.end()


@pytest.fixture
def link(server: RedisServer) -> Iterator[SilentLink]:
    with silent_link(server.port) as made:
        yield made


@pytest.fixture
def order(server: RedisServer, link: SilentLink, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A message that was taken through the link and is not acknowledged."""
    monkeypatch.setattr(kombu.transport.redis.Transport, "Channel", kombu.transport.redis.Channel)
    monkeypatch.setattr(kombu.transport.redis, "loads", kombu.transport.redis.loads)
    door.install()
    acknowledging.end_where_orders_stay()
    limits = {"socket_timeout": 0.5, "socket_connect_timeout": 0.5}
    url = f"redis://:{PASSWORD}@127.0.0.1:{link.port}/0"
    with Connection(url, transport_options=transport_options("test", QUEUE) | limits) as connection:
        simple = connection.SimpleQueue(queue(QUEUE))
        simple.put({})
        yield simple.get(timeout=10)
        link.mend()
    server.client().flushdb()


def test_an_order_is_acknowledged_on_another_connection_when_the_first_is_silent(
    server: RedisServer, link: SilentLink, order: Any
) -> None:
    assert server.client().hlen(KEYS.messages) == 1
    link.forget()

    order.ack()

    assert server.client().hlen(KEYS.messages) == 0


def test_an_order_is_put_back_on_another_connection_when_the_first_is_silent(
    server: RedisServer, link: SilentLink, order: Any
) -> None:
    link.forget()

    order.requeue()

    assert (server.client().hlen(KEYS.messages), server.client().llen(QUEUE)) == (0, 1)


def test_what_is_no_order_any_more_is_not_put_back(server: RedisServer, order: Any) -> None:
    client = server.client()
    client.hset(KEYS.messages, order.delivery_tag, '["forged", "", "device.b"]')

    order.requeue()

    assert (client.hlen(KEYS.messages), client.keys("device.*")) == (0, [])


def test_a_worker_that_cannot_acknowledge_its_order_ends(
    link: SilentLink, order: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def end(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(acknowledging, "PAUSES_S", (0.0, 0.0))
    link.cut()

    with pytest.raises(SystemExit):
        order.ack()

    assert "the broker does not answer, so this worker ends" in caplog.text


def test_a_worker_that_may_not_acknowledge_its_order_ends_at_once(
    server: RedisServer, order: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def end(code: int) -> NoReturn:
        raise SystemExit(code)

    monkeypatch.setattr(os, "_exit", end)
    server.client().config_set("maxmemory", "1")
    try:
        with pytest.raises(SystemExit):
            order.ack()
    finally:
        server.client().config_set("maxmemory", "0")

    assert "the broker refuses what a worker needs, so this worker ends" in caplog.text
