"""Mutated messages at every place where one is read: none raises anything but a refusal, and memory stays flat.

``SEGFLEET_FUZZ_COUNT`` and ``SEGFLEET_FUZZ_SEED`` choose how many and which; ``make fuzz`` takes 100,000 a place.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import random
import resource
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from producer.dispatch.possible import is_possible
from producer.dispatch.stored_messages import read_message, read_unacknowledged
from producer.manager.protocol.calls import arguments_of
from producer.manager.protocol.messages import decode_command, decode_reply
from tasks.bounded_json import load_json
from tasks.broker import door
from tasks.errors import MessageError
from tasks.orders import StoreSegment
from tasks.registry import ORDER_KINDS
from tasks.wire import address_in, decode, decode_order, decode_receipt

COUNT = int(os.environ.get("SEGFLEET_FUZZ_COUNT", "3000"))
SEED = int(os.environ.get("SEGFLEET_FUZZ_SEED", "20261126"))

#: No reading of one message may need more than this beside what the process had before.
GROWTH_BYTES = 300 * 2**20

ADDRESS = {
    "version": 1,
    "run_id": "0" * 32,
    "order_id": "5" * 32,
    "device": "a",
    "device_id": "d" * 32,
    "epoch": 0,
    "attempt": 1,
}
ORDER = {
    **ADDRESS,
    "reply_to": "manager.m",
    "segment_id": "5" * 32,
    "object_id": "6" * 32,
    "snapshot_id": "1" * 32,
    "volume": "home",
    "number": 0,
    "source": "source",
    "extents": {"paths": ["a", "b"], "offsets_bytes": [0, 0], "sizes_bytes": [10, 20]},
    "threshold_bytes": 1000,
    "unit_bytes": 65536,
    "block_bytes": 65536,
    "level": 1,
    "threads": 1,
}
FAILED = {"reason": "device", "code": "x", "message": "y", "hint": "", "path": ""}
RECEIPT = {**ADDRESS, "task": "segfleet.store", "worker": "a@here", "result": None, "failure": FAILED}
COMMAND = {
    "version": 1,
    "run_id": "0" * 32,
    "nonce": "1" * 32,
    "command": "backup",
    "ask": {"sources": ["data"], "level": 3, "exclude": ["*.tmp"]},
    "json": True,
    "detached": False,
    "reply_to": "master." + "0" * 32,
    "expires_s": 1,
}
REPLY = {
    "version": 1,
    "run_id": "0" * 32,
    "nonce": "1" * 32,
    "kind": "out",
    "text": "line",
    "number": 1,
    "exit_code": 0,
}

#: What takes the place of some value of a message.
NASTY: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**63, 2**64, -(2**70), 10**400, "", "\0", "\n", "\ud800", "\udcff", "x" * 10_000),
    *([], {}, [[]], [None] * 100, {"__type__": "decimal", "__value__": "1e99"}, {"__type__": "x", "__value__": []}),
    *("../../etc/passwd", "-x", "--config=/x", "/", ".", "..", "manager.m.0", "f" * 32, "\u202e", "é" * 300),
)


def envelope(body: Any, task: str | None) -> dict[str, Any]:
    return {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": task, "id": str(uuid.UUID(int=1)), "timelimit": [60, 50]} if task else {},
        "properties": {
            "delivery_tag": str(uuid.UUID(int=2)),
            "delivery_info": {"exchange": "", "routing_key": "device.a"},
            "body_encoding": "base64",
        },
    }


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value inside ``value``."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])


def twisted(value: Any, chance: random.Random) -> Any:
    """A copy of which one to three values are replaced, removed or added."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        places = list(places_in(changed))
        if not places:
            return copy.deepcopy(chance.choice(NASTY))
        container, key = chance.choice(places)
        match chance.randrange(4):
            case 0 if isinstance(container, dict):
                container.pop(key, None)
            case 1 if isinstance(container, dict):
                container[chance.choice(("x", "__type__", "version", "\ud800"))] = copy.deepcopy(chance.choice(NASTY))
            case _:
                container[key] = copy.deepcopy(chance.choice(NASTY))
    return changed


def torn(data: bytes, chance: random.Random) -> bytes:
    """``data`` with a few bytes changed, cut, doubled or put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del changed[at : at + chance.randint(1, 20)]
            case 2:
                changed[at:at] = changed[at : at + chance.randint(1, 200)]
            case _:
                changed[at:at] = chance.choice(
                    (b"[" * 2000, b'{"a":' * 500, b"\xff\xfe", b"\0", b"1e999", b"NaN", b'"')
                )
    return bytes(changed)


def hostile(good: Any, chance: random.Random, wrap: Callable[[Any], Any]) -> bytes:
    """One mutated message: inside its body, in its envelope, or in its bytes."""
    match chance.randrange(3):
        case 0:
            return json.dumps(wrap(twisted(good, chance))).encode()
        case 1:
            return json.dumps(twisted(wrap(good), chance)).encode()
    return torn(json.dumps(wrap(good)).encode(), chance)


def as_order(order: Any) -> Any:
    return envelope([[], {"order": order}, {"callbacks": None}], "segfleet.store")


def as_receipt(receipt: Any) -> Any:
    return envelope(receipt, None)


def read_by_worker(raw: bytes) -> None:
    passed = door._loads(raw)
    if isinstance(passed, dict) and passed["headers"]["task"] in {kind.task for kind in ORDER_KINDS}:
        _, kwargs, _ = json.loads(base64.b64decode(passed["body"]))
        address_in(kwargs["order"])
        decode_order(passed["headers"]["task"], kwargs["order"])


def read_by_run(raw: bytes) -> None:
    passed = door._loads(raw)
    if isinstance(passed, dict):
        receipt = decode_receipt(json.loads(base64.b64decode(passed["body"])))
        if receipt.result is not None and receipt.task == "segfleet.store":
            is_possible(receipt.result, decode(StoreSegment, ORDER))


def read_by_reconciler(raw: bytes) -> None:
    read_message(raw)


def read_what_is_held(raw: bytes) -> None:
    read_unacknowledged(b"[" + raw + b', "", "device.a"]')


def read_by_manager(raw: bytes) -> None:
    arguments = arguments_of(decode_command(load_json(raw)))
    # As a process could be started with them.
    assert all(os.fsencode(argument) for argument in arguments if argument)


def read_by_master(raw: bytes) -> None:
    decode_reply(load_json(raw))


def as_it_is(message: Any) -> Any:
    return message


PLACES = {
    "worker": (read_by_worker, ORDER, as_order),
    "run": (read_by_run, RECEIPT, as_receipt),
    "reconciler": (read_by_reconciler, ORDER, as_order),
    "reconciler, held": (read_what_is_held, ORDER, as_order),
    "manager": (read_by_manager, COMMAND, as_it_is),
    "master": (read_by_master, REPLY, as_it_is),
}


@pytest.mark.parametrize("place", PLACES)
def test_no_mutated_message_does_more_than_be_refused(place: str) -> None:
    read, good, wrap = PLACES[place]
    read(json.dumps(wrap(good)).encode())
    chance = random.Random(f"{SEED} {place}")
    before_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    refused = 0
    for _ in range(COUNT):
        raw = hostile(good, chance, wrap)
        try:
            read(raw)
        except MessageError:
            refused += 1
        except Exception as error:
            pytest.fail(f"seed {SEED}, {place}: {type(error).__name__} {error} at {raw[:2000]!r}")

    # Most are refused, or the fuzzer would have proved nothing; some are dropped at the door, without an error.
    assert place == "worker" or refused > COUNT / 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before_bytes < GROWTH_BYTES
