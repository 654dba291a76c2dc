"""Receipts reach the manager's queue on a real server, or the worker says that they cannot."""

import json
from pathlib import Path
from typing import cast

import pytest
from celery import Celery
from redis import Redis

from producer.broker import broker
from producer.host.state import StateFolder
from tasks.app import transport_options
from tasks.errors import BrokerError, Reason
from tasks.receipts import Failure, Receipt
from tasks.wire import decode_receipt
from workers.process import delivery
from workers.process.delivery import publish_receipt

RECEIPT = Receipt(
    task="segfleet.store",
    run_id="0" * 32,
    order_id="1" * 32,
    device="a",
    device_id="d" * 32,
    epoch=3,
    attempt=1,
    worker="a@here",
    result=None,
    failure=Failure(reason=Reason.SOURCE, code="source", message="caf\udce9 cannot be read"),
)


def application(monkeypatch: pytest.MonkeyPatch, url: str, **settings: object) -> Celery:
    """The worker's application with connections of its own: the real one is shared by the whole process."""
    fresh = Celery("test", set_as_current=False)
    fresh.conf.update(broker_url=url, broker_transport_options=transport_options("test", "manager.local"), **settings)
    monkeypatch.setattr(delivery, "app", fresh)
    return fresh


def test_a_receipt_lies_in_the_queue_when_delivering_returns(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SEGFLEET_BROKER_URL", raising=False)
    with broker(None, StateFolder(path=tmp_path_factory.mktemp("s"))) as private:
        app = application(monkeypatch, private.url)
        publish_receipt(RECEIPT, "manager.local")
        client = Redis.from_url(private.url.replace("redis+socket://", "unix://"))
        message = json.loads(cast(bytes, client.rpop("manager.local")))
        assert message["properties"]["delivery_info"] == {"exchange": "", "routing_key": "manager.local"}
        with app.connection_for_read() as connection:
            publish_receipt(RECEIPT, "manager.local")
            received = connection.SimpleQueue("manager.local").get(timeout=10)
            assert decode_receipt(received.payload) == RECEIPT
            received.ack()


def test_a_receipt_that_nobody_takes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
    application(monkeypatch, f"redis+socket://{tmp_path}/no.sock", task_publish_retry_policy=once)
    with pytest.raises(BrokerError, match="1" * 32):
        publish_receipt(RECEIPT, "manager.local")
