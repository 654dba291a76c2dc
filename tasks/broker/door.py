"""The door: whatever comes out of a queue is checked here before kombu or Celery act on it.

A message chooses how it is decoded, decompressed and timed, and what runs after it.  segfleet's own messages use none
of that, so a message that does is not one of ours.  What passes is built anew from the parts that are known; anything
else becomes a message that Celery refuses as an unknown task and a manager as no receipt, and is gone.

The layout is kombu's: JSON of ``{"body", "headers", "properties", "content-type", "content-encoding"}``, where the body
is base64 of JSON again.  An order is the keyword argument ``order`` of a Celery task, so its body is
``[[], {"order": …}, {…}]``; a receipt is the body itself.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from typing import Any

import kombu.transport.redis

from tasks.errors import MessageError

#: The largest order, 65,536 extents with long paths, has about half of this in base64.
MAX_MESSAGE_BYTES = 16 * 2**20

#: An empty list of three bytes takes 64 in memory.  An order has a few of them for each entry that it restores.
_MAX_BRACKETS = 500_000

#: The task of what is none: no worker has it.
NO_TASK = "segfleet.none"

_NAME = re.compile(r"[\x20-\x7e]{1,200}")
_LINE = re.compile(r"[\x20-\x7e]{0,1000}")
_MAX_LIMIT_S = 10**9

#: Headers of Celery that segfleet has no use for; it asks for them all the same.
_ALWAYS: Mapping[str, Any] = {
    "lang": "py",
    "retries": 0,
    **dict.fromkeys(("parent_id", "shadow", "eta", "expires", "group", "group_index", "ignore_result")),
}
_SHOWN_CHARACTERS = 1000


def install() -> None:
    """Have kombu's Redis transport read through the door, in this process.  Idempotent.

    kombu has no place for a decoder of one's own before its typed JSON; ``loads`` is what its channels call for what
    they take from queues.  Orders that are put back are read by :class:`tasks.app.TakenOrders`.
    """
    kombu.transport.redis.loads = _loads


def open_message(raw: bytes | str) -> tuple[dict[str, Any], Any]:
    """The message in an element of a queue's list, checked and built anew, and its body; raises MessageError."""
    return _rebuilt(_plain(raw))


def open_unacknowledged(raw: bytes | str) -> tuple[dict[str, Any], Any]:
    """The message in a value of a hash of unacknowledged ones: ``[message, exchange, routing key]``."""
    entry = _plain(raw)
    if not isinstance(entry, list) or len(entry) != 3:
        raise MessageError("an unacknowledged message is not [message, exchange, routing key]")
    return _rebuilt(entry[0])


def _loads(raw: bytes | str) -> dict[str, Any]:
    """For kombu, which reads the elements of queues with it; never raises."""
    try:
        return open_message(raw)[0]
    except MessageError:
        return _nothing()


def _plain(raw: bytes | str) -> Any:
    """JSON without kombu's types, of bounded size."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise MessageError(f"a message of {len(raw)} bytes; the most is {MAX_MESSAGE_BYTES}")
    text = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")
    if text.count(b"[") + text.count(b"{") > _MAX_BRACKETS:
        raise MessageError("a message of too many parts")
    # To look at every object takes three times as long, and seldom is there one that could have a type.
    may_be_typed = b"__type__" in text or b"\\u00" in text
    try:
        return json.loads(text, object_hook=_untyped if may_be_typed else None)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"a message in the broker is not JSON: {error}") from error


def _untyped(value: dict[str, Any]) -> dict[str, Any]:
    if "__type__" in value:
        raise ValueError("a value with a type")
    return value


def _rebuilt(envelope: Any) -> tuple[dict[str, Any], Any]:
    try:
        body, headers, properties = envelope["body"], envelope["headers"], envelope["properties"]
        is_json = (envelope["content-type"], envelope["content-encoding"].lower()) == ("application/json", "utf-8")
        if not is_json or properties["body_encoding"] != "base64" or "compression" in headers:
            raise MessageError("a message in the broker is not plain JSON in base64")
        content = _plain(binascii.a2b_base64(body, strict_mode=True))
        # What is no order stays none when it is read again, from among the unacknowledged.
        is_order = headers.get("task", NO_TASK) != NO_TASK
        if is_order:
            _check_call(content)
        return {
            "body": body,
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": _headers(headers) if is_order else _no_order_headers(),
            "properties": _properties(properties),
        }, content
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MessageError(
            f"a message in the broker is not one of segfleet's: {type(error).__name__} {error}"
        ) from error


def _check_call(content: Any) -> None:
    """A task's arguments: the order, and nothing to run afterwards."""
    args, kwargs, embed = content
    if args != [] or list(kwargs) != ["order"] or any(value is not None for value in embed.values()):
        raise MessageError("a message in the broker holds more than an order")


def _headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_ALWAYS,
        "task": _text(headers["task"], _NAME),
        "id": _text(headers["id"], _NAME),
        "root_id": _text(headers["id"], _NAME),
        "timelimit": _time_limits(headers.get("timelimit") or (None, None)),
        "argsrepr": "",
        # For people alone, in Flower and in logs.
        "kwargsrepr": ascii(headers.get("kwargsrepr", ""))[1:-1][:_SHOWN_CHARACTERS],
    }


def _no_order_headers() -> dict[str, Any]:
    nothing = str(uuid.uuid4())
    return {**_ALWAYS, "task": NO_TASK, "id": nothing, "root_id": nothing, "timelimit": [None, None]}


def _time_limits(limits: Any) -> list[int | None]:
    hard_s, soft_s = limits
    for limit_s in (hard_s, soft_s):
        if limit_s is not None and not (type(limit_s) is int and 0 < limit_s < _MAX_LIMIT_S):
            raise MessageError("a time limit is not a number of seconds")
    return [hard_s, soft_s]


def _properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    where = properties["delivery_info"]
    return {
        "delivery_tag": _text(properties["delivery_tag"], _NAME),
        "delivery_info": {
            "exchange": _text(where.get("exchange") or "", _LINE),
            "routing_key": _text(where.get("routing_key") or "", _LINE),
        },
        "delivery_mode": 2,
        "priority": 0,
        "body_encoding": "base64",
    }


def _text(value: Any, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MessageError("a message in the broker has a name with characters that names do not have")
    return value


def _nothing() -> dict[str, Any]:
    """A message without content, for anyone who expects one."""
    return {
        "body": base64.b64encode(b"null").decode("ascii"),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": _no_order_headers(),
        "properties": _properties({"delivery_tag": str(uuid.uuid4()), "delivery_info": {}}),
    }
