"""An inbox that is filled faster than it is emptied keeps nobody from other duties."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from producer.broker import broker
from producer.dispatch.inbox import AT_ONCE_COUNT
from producer.dispatch.link import Link
from producer.host.state import StateFolder
from tasks.errors import Reason
from tasks.receipts import Failure, Receipt
from workers.process.delivery import publish_receipt

INBOX = "manager.local"
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
    failure=Failure(reason=Reason.SOURCE, code="source", message="cannot be read"),
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


@pytest.fixture
def link(url: str, client: Redis) -> Iterator[Link]:
    with Link(url, INBOX, ensure_broker=lambda: None) as made:
        yield made


def test_receipts_are_taken_a_bounded_number_at_a_time_and_none_is_lost(link: Link, client: Redis) -> None:
    publish_receipt(RECEIPT, INBOX)
    client.lpush(INBOX, *client.lrange(INBOX, 0, 0) * (2 * AT_ONCE_COUNT))
    taken: list[Receipt] = []

    while len(taken) < 2 * AT_ONCE_COUNT + 1:
        receipts = link.receipts(1.0)
        assert 0 < len(receipts) <= AT_ONCE_COUNT
        taken += receipts

    assert set(taken) == {RECEIPT}
    assert link.receipts(0.0) == []


def test_a_flood_of_what_is_no_receipt_does_not_hold_a_run_up(link: Link, client: Redis) -> None:
    client.lpush(INBOX, *[b"garbage"] * 30_000)

    assert link.receipts(0.1) == []

    assert link.refused_count > 0
    assert client.llen(INBOX) > 0
