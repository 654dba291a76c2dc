"""Which orders a worker refuses since their run is over, or their device was given up: asked of a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from producer.broker import broker
from producer.host.state import StateFolder
from tasks.broker.epochs import publish_epoch
from tasks.broker.leases import redis_client
from tasks.broker.signs import SIGN_PREFIX, SILENT_S, give_last_sign, give_sign
from tasks.errors import RunOverError
from tasks.groups import GroupMember
from tasks.orders import (
    AdoptDevice,
    DescribeDevice,
    GetManifest,
    Order,
    PrepareImage,
    PutManifest,
    RestoreEntries,
    RestoreSegment,
)
from tasks.orders.cleaning import DeleteStored
from tasks.orders.parity import MakeParity
from tasks.registry import ORDER_KINDS
from workers.process.fence import Fence, FencedError

RUN, OTHER_RUN = "manager.m.0a", "manager.m.0b"
DEVICE_ID = "d" * 32

OF_ITS_OWN: dict[type[Order], dict[str, Any]] = {
    AdoptDevice: {"device_id": "", "pool_id": "b" * 32, "new_device_id": DEVICE_ID},
    DeleteStored: {"catalog_id": "c" * 32},
    DescribeDevice: {"device_id": ""},
    GetManifest: {"name": ""},
    MakeParity: {
        "group_id": "6" * 32,
        "row": 0,
        "rows_count": 1,
        "members": (GroupMember(object_id="5" * 32, stored_bytes=1, trailer_digest="0" * 64),),
        "devices": (),
    },
    PrepareImage: {"target": "t", "size_bytes": 1, "zero_offsets_bytes": (), "zero_sizes_bytes": (), "force": True},
    PutManifest: {"name": "1" * 32 + ".manifest", "data": b"", "digest": "0" * 64},
    RestoreEntries: {"target": "t", "entries": (), "overwrite": "always"},
    RestoreSegment: {
        "object_id": "5" * 32,
        "trailer_digest": "0" * 64,
        "target": "t",
        "paths": (),
        "stream_offsets_bytes": (),
        "offsets_bytes": (),
        "sizes_bytes": (),
        "metadata": (),
        "overwrite": "always",
        "threads": 1,
    },
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SEGFLEET_BROKER_URL", raising=False)
        with broker(None, StateFolder(path=tmp_path_factory.mktemp("s"))) as private:
            yield private.url


@pytest.fixture
def client(url: str) -> Iterator[Redis]:
    with redis_client(url) as client:
        client.flushall()
        yield client


@pytest.fixture
def fence(url: str) -> Fence:
    return Fence(url)


def order(cls: type[Order] = RestoreEntries, **fields: Any) -> Order:
    common = {"run_id": "0" * 32, "order_id": "1" * 32, "device": "a", "device_id": DEVICE_ID, "epoch": 0, "attempt": 1}
    return cls(**{**common, "reply_to": RUN, **OF_ITS_OWN[cls], **fields})


def was_silent_for(client: Redis, seconds: int) -> None:
    """The run has given its last sign so long ago."""
    client.set(SIGN_PREFIX + RUN, client.time()[0] - seconds)


@pytest.mark.parametrize(
    "cls", [kind.order for kind in ORDER_KINDS if kind.must_not_outlive_run], ids=lambda cls: cls.__name__
)
def test_what_changes_a_target_or_a_device_is_refused_once_its_run_is_over(
    client: Redis, fence: Fence, cls: type[Order]
) -> None:
    give_sign(client, RUN)
    fence.check(order(cls))

    give_last_sign(client, RUN)

    with pytest.raises(RunOverError, match="has ended"):
        fence.check(order(cls))


@pytest.mark.parametrize("cls", [DescribeDevice, GetManifest], ids=lambda cls: cls.__name__)
def test_what_only_reads_is_carried_out_for_a_run_that_is_over(client: Redis, fence: Fence, cls: type[Order]) -> None:
    give_last_sign(client, RUN)

    fence.check(order(cls))


def test_a_run_that_was_killed_is_over_when_it_was_silent_for_long(client: Redis, fence: Fence) -> None:
    was_silent_for(client, SILENT_S - 5)
    fence.check(order())

    was_silent_for(client, SILENT_S + 1)

    with pytest.raises(RunOverError, match="no sign of life"):
        fence.check(order())


def test_a_run_that_is_over_ends_no_other(client: Redis, fence: Fence) -> None:
    give_last_sign(client, OTHER_RUN)

    fence.check(order())


def test_a_run_that_lives_after_all_is_served_again(client: Redis, fence: Fence) -> None:
    was_silent_for(client, SILENT_S + 1)
    give_sign(client, RUN)

    fence.check(order())


def test_a_broker_that_was_emptied_refuses_nobody(client: Redis, fence: Fence) -> None:
    give_last_sign(client, RUN)
    client.flushall()

    fence.check(order())


def test_a_broker_that_does_not_answer_refuses_nobody(tmp_path: Path) -> None:
    Fence(f"redis+socket://{tmp_path}/no.sock").check(order())


def test_a_worker_that_may_not_see_signs_of_life_still_compares_epochs(client: Redis, fence: Fence) -> None:
    rights = "reset on >secret %R~segfleet.epoch.* +get +time +select +hello +auth +client|setname"
    client.execute_command("ACL", "SETUSER", "old", *rights.split())
    give_last_sign(client, RUN)
    publish_epoch(client, RUN, DEVICE_ID, 1)
    fence._client = Redis(
        unix_socket_path=client.connection_pool.connection_kwargs["path"], username="old", password="secret"
    )

    fence.check(order(epoch=1))
    with pytest.raises(FencedError):
        fence.check(order(epoch=0))
