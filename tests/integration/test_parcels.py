"""What is too large for a message lies in the broker once for all devices; when the broker loses it, it comes again."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from kit.models.in_process import NoProgress
from kit.services.fleet import RedisServer
from producer.dispatch.link import Link
from tasks.broker.parcels import MIN_PARCEL_BYTES, PARCEL_PREFIX
from tasks.broker.queues import device_queue
from tasks.errors import BrokerError, MessageError, NoParcelError
from tasks.orders import AdoptDevice, PutManifest
from tasks.wire import decode_order
from workers.process.handlers import LocalHandlers
from workers.process.parcels import Parcels
from workers.settings import DeviceSettings, WorkerSettings

DEVICES = ("a", "b")
DEVICE_ID = "d" * 32
ENVELOPE: dict[str, Any] = {
    "run_id": "0" * 32,
    "order_id": "1" * 32,
    "device": "a",
    "device_id": DEVICE_ID,
    "epoch": 0,
    "attempt": 1,
    "reply_to": "manager.m.0a",
}
DATA = os.urandom(2 * MIN_PARCEL_BYTES)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis")
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def link(server: RedisServer) -> Iterator[Link]:
    with Link(server.url, "manager.m.0a", ensure_broker=lambda: None) as made:
        yield made


@pytest.fixture
def parcels(server: RedisServer) -> Parcels:
    return Parcels(server.url)


def put(data: bytes, device: str = "a") -> PutManifest:
    return PutManifest(
        **{**ENVELOPE, "device": device}, name="5" * 32 + ".000000.part", data=data, digest=blake3(data).hexdigest()
    )


def received(server: RedisServer, device: str = "a") -> PutManifest:
    """The order that waits for the device, as its worker reads it."""
    (message,) = server.client().lrange(device_queue(device), 0, -1)
    _, arguments, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    found = decode_order("segfleet.put_manifest", arguments["order"])
    assert isinstance(found, PutManifest)
    return found


def test_two_devices_get_one_parcel_and_their_messages_are_small(
    server: RedisServer, link: Link, parcels: Parcels
) -> None:
    link.send([put(DATA, device) for device in DEVICES])

    for device in DEVICES:
        order = received(server, device)
        assert (order.data, order.is_parcel) == (b"", True)
        assert parcels.get(order.digest) == DATA
    assert len(server.client().keys(PARCEL_PREFIX + "*")) == 1
    assert server.client().ttl(PARCEL_PREFIX + put(DATA).digest) > 0


def test_what_is_small_travels_in_its_message(server: RedisServer, link: Link) -> None:
    small = put(DATA[: MIN_PARCEL_BYTES - 1])
    link.send([small])

    assert received(server) == small
    assert server.client().keys(PARCEL_PREFIX + "*") == []


def test_a_parcel_that_the_broker_has_lost_is_said_to_be_missing_and_comes_with_its_order_again(
    server: RedisServer, link: Link, parcels: Parcels
) -> None:
    link.send([put(DATA)])
    server.client().flushall()

    with pytest.raises(NoParcelError):
        parcels.get(put(DATA).digest)

    link.send([put(DATA)])
    assert parcels.get(received(server).digest) == DATA


def test_parcels_are_gone_with_the_end_of_their_run(server: RedisServer) -> None:
    with Link(server.url, "manager.m.0a", ensure_broker=lambda: None) as link:
        link.send([put(DATA)])

    assert server.client().keys(PARCEL_PREFIX + "*") == []


def test_a_broker_that_is_away_has_no_parcel(server: RedisServer, parcels: Parcels) -> None:
    server.end()

    with pytest.raises(NoParcelError, match="does not answer"):
        parcels.get(put(DATA).digest)


def test_a_user_without_the_right_to_parcels_is_told_to_renew_its_rights(server: RedisServer, parcels: Parcels) -> None:
    server.client().execute_command("ACL", "SETUSER", "default", "resetkeys", "~device.*")

    with pytest.raises(BrokerError, match="does not let this worker"):
        parcels.get(put(DATA).digest)


def test_a_worker_stores_a_parcel_that_is_what_its_order_says_and_no_other(
    server: RedisServer, link: Link, parcels: Parcels, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    settings = WorkerSettings(broker_url=server.url, devices={"a": DeviceSettings(path=tmp_path / "a")})
    handlers = LocalHandlers(settings, worker="a@here", progress=NoProgress(), parcel=parcels.get)
    handlers.adopt(AdoptDevice(**{**ENVELOPE, "device_id": ""}, pool_id="e" * 32, new_device_id=DEVICE_ID))
    link.send([put(DATA)])
    stored = tmp_path / "a" / "manifests" / put(DATA).name

    server.client().set(PARCEL_PREFIX + put(DATA).digest, DATA[::-1])
    with pytest.raises(MessageError):
        handlers.put_manifest(received(server))
    assert not stored.exists()

    server.client().set(PARCEL_PREFIX + put(DATA).digest, DATA)
    handlers.put_manifest(received(server))
    assert stored.read_bytes() == DATA
