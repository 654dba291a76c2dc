"""Anyone who may write into a queue puts messages there that no segfleet sends: nothing ends, and the work is done."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from kit.deadlines import eventually
from kit.services.fleet import Fleet
from kit.services.site import Site
from kit.tree import Tree, noise
from tasks.broker.counts import count_in
from tasks.broker.door import NO_TASK, _loads, open_message
from tasks.broker.leases import _read
from tasks.errors import MessageError

ORDER = {"order": {"version": 1, "run_id": "0" * 32}}
EMBED = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))


def coded(body: Any) -> str:
    return base64.b64encode(body if isinstance(body, bytes) else json.dumps(body).encode()).decode()


def message(body: Any = ([], ORDER, EMBED), headers: Any = None, properties: Any = None, **changes: Any) -> bytes:
    known = {"lang": "py", "task": "segfleet.describe", "id": str(uuid.uuid4()), "timelimit": [60, 50]}
    where = {"exchange": "", "routing_key": "device.a"}
    return json.dumps(
        {
            "body": coded(body),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {**known, **headers} if isinstance(headers, dict) else headers or known,
            "properties": {
                "delivery_tag": str(uuid.uuid4()),
                "delivery_info": where,
                "body_encoding": "base64",
                **(properties or {}),
            },
            **changes,
        }
    ).encode()


DECIMAL = {"__type__": "decimal", "__value__": "1e999999999"}

HOSTILE: dict[str, bytes] = {
    "not JSON": b"\x80\x04\x95",
    "not text": b"\xff\xfe\x00",
    "empty": b"",
    "null": b"null",
    "a number": b"7",
    "a list of three": b"[1, 2, 3]",
    "an unacknowledged order": b'[%b, "", "device.a"]' % message(),
    "nested without end": b"[" * 500_000,
    "of a million lists": message([[], ORDER, [[]] * 1_000_000]),
    "a number of kombu's in the envelope": message(priority=DECIMAL),
    "a number of kombu's in the order": message(([], {"order": {"epoch": DECIMAL}}, EMBED)),
    "a date that is none": message(headers={"eta": {"__type__": "datetime", "__value__": "x"}}),
    "compressed": message(headers={"compression": "application/x-gzip"}),
    "bytes": message(**{"content-type": "application/data"}),
    "pickle": message(**{"content-type": "application/x-python-serialize"}),
    "binary": message(**{"content-encoding": "binary"}),
    "a body of two": message(([], ORDER)),
    "a body of text": message("order"),
    "a body that is no base64": message(body_encoding=None, body="!!!"),
    "positional arguments": message(([1], ORDER, EMBED)),
    "more arguments": message(([], {**ORDER, "more": 1}, EMBED)),
    "something to run afterwards": message(([], ORDER, {**EMBED, "callbacks": [{"task": "segfleet.store"}]})),
    "an order that is no object": message(([], {"order": []}, EMBED)),
    "an id that is a list": message(headers={"id": []}),
    "a task of lone surrogates": message(headers={"task": "\ud800"}),
    "an unknown task": message(headers={"task": "celery.backend_cleanup"}),
    "of the first protocol": message(
        {"task": "segfleet.describe", "id": "x", "kwargs": ORDER}, headers={"task": NO_TASK}
    ),
    "time limits that are dates": message(
        headers={"timelimit": [{"__type__": "date", "__value__": "2026-01-01"}, None]}
    ),
    "time limits that are text": message(headers={"timelimit": ["soon", None]}),
    "one time limit": message(headers={"timelimit": [1]}),
    "an endless time limit": message(headers={"timelimit": [1e400, 10**30]}),
    "no properties": message(properties={"delivery_info": None}),
    "a tag that is an object": message(properties={"delivery_tag": {}}),
    "headers that are none": message(headers=[1]),
}


_LEASE = b'{"device": "a", "worker": "a@nowhere", "pid": 1, "bytes_moved": 0, "order_id": ""%b}'

HOSTILE_LEASES: dict[str, bytes] = {
    "empty": b"",
    "not-text": _LEASE % b', "release": "\xff\xfe"',
    "a-number": b"7",
    "a-huge-number": _LEASE.replace(b"1,", b"1" * 10_000 + b",") % b"",
    "nested-without-end": _LEASE % (b', "more": ' + b"[" * 100_000),
    "deeply-nested": _LEASE % (b', "more": ' + b"[" * 100_000 + b"]" * 100_000),
}


@pytest.mark.parametrize("name", HOSTILE_LEASES)
def test_what_is_no_lease_is_nobodys(name: str) -> None:
    assert _read(HOSTILE_LEASES[name]) is None


@pytest.mark.parametrize("value", [None, b"", b"-1", b"1.5", b"\xb2", "\u0663", b"9" * 5000, [], b"nan"])
def test_what_is_no_count_in_the_broker_counts_as_no_key(value: object) -> None:
    assert count_in(value) is None
    assert (count_in(b"42"), count_in("0")) == (42, 0)


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_segfleet_sends_does_not_pass_the_door(name: str) -> None:
    """An unknown task passes: no worker has it.  An order that is no object is for the task's own check."""
    try:
        passed, body = open_message(HOSTILE[name])
    except MessageError:
        passed, body = _loads(HOSTILE[name]), None
        assert passed["headers"]["task"] == NO_TASK
    assert passed["headers"]["task"] in (NO_TASK, "celery.backend_cleanup", "segfleet.describe")
    assert passed["headers"].keys() & {"compression", "callbacks"} == set()
    assert passed["headers"].get("eta") is None
    assert DECIMAL["__type__"] not in str(body)


def test_an_honest_order_passes_as_it_was() -> None:
    passed, body = open_message(message(([], {"order": {"paths": ["caf\u00e9\udce9\n"]}}, EMBED)))

    assert body[1] == {"order": {"paths": ["caf\u00e9\udce9\n"]}}
    assert passed["headers"]["timelimit"] == [60, 50]


@pytest.fixture
def site(fleet: Fleet) -> Iterator[Site]:
    yield Site(fleet, tree=Tree({f"{n}": noise(300_000, seed=n) for n in range(4)}))


def test_workers_and_runs_outlive_what_is_put_into_their_queues(site: Site) -> None:
    client = site.fleet.server.client()
    before = {(lease.worker, lease.pid) for lease in site.fleet.leases()}
    for junk in HOSTILE.values():
        client.lpush("device.a", junk)
        client.lpush("device.b", junk)
    client.hset("unacked.device.a", "tag", b"[[[")
    client.hset("unacked.device.a", "other", json.dumps([1, "", ""]))
    client.zadd("unacked_index.device.a", {"tag": 1.0, "other": 1.0})
    for name, junk in HOSTILE_LEASES.items():
        client.set(f"segfleet.lease.a.{name}@nowhere", junk)
    client.lpush("segfleet.lease.b.b@nowhere", "a list")
    eventually(lambda: client.llen("device.a") == client.llen("device.b") == 0, "the workers have read them all")

    running = site.master.start("backup", "data", "--json", "--segment-size=256KiB", "--unit-size=64KiB")
    eventually(lambda: client.keys("segfleet.sign.manager.*"), "the run has an inbox")
    inbox = os.fsdecode(client.keys("segfleet.sign.manager.*")[0]).removeprefix("segfleet.sign.")
    for junk in HOSTILE.values():
        client.lpush(inbox, junk)
        client.lpush("device.b", junk)
    done = running.wait()

    assert done.exit_code == 0, done
    assert {(lease.worker, lease.pid) for lease in site.fleet.leases()} == before
