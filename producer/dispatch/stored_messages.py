"""A message as kombu keeps it in Redis: reading the order in it, and readdressing it.

Its layout: :mod:`tasks.broker.door`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from msgspec import Struct

from tasks.broker.door import NO_TASK, open_message, open_unacknowledged
from tasks.errors import MessageError

#: What every order says of itself; all else is for the worker that gets it.
_ADDRESS = {"run_id": str, "order_id": str, "device": str, "reply_to": str, "epoch": int}


class StoredMessage(Struct, frozen=True, kw_only=True):
    """One message with its order, of which only the address has been checked.

    ``queue`` is the queue that the message names; ``order`` must not be changed.
    """

    task: str
    queue: str
    order: Mapping[str, Any]
    envelope: Mapping[str, Any]
    #: (args, kwargs, embed) of the Celery task.
    body: tuple[Any, ...]

    def readdressed(self, queue: str, changes: Mapping[str, Any]) -> bytes:
        """The message for ``queue``, with ``changes`` in its order and a new delivery tag."""
        args, kwargs, embed = self.body
        body = json.dumps([args, {**kwargs, "order": {**self.order, **changes}}, embed])
        properties = {
            **self.envelope["properties"],
            # kombu restores a message to the queue of its routing key.
            "delivery_info": {"exchange": "", "routing_key": queue},
            # A worker that wakes up late may still acknowledge the old tag.
            "delivery_tag": str(uuid4()),
            "body_encoding": "base64",
        }
        changed = {"body": base64.b64encode(body.encode()).decode(), "properties": properties}
        return json.dumps({**self.envelope, **changed}).encode()


def read_message(raw: bytes | str) -> StoredMessage:
    """The message in an element of a queue's list; raises MessageError when it holds no order."""
    return _read(*open_message(raw))


def read_unacknowledged(raw: bytes | str) -> StoredMessage:
    """The message in a value of a hash of unacknowledged ones; raises MessageError when it holds no order."""
    return _read(*open_unacknowledged(raw))


def _read(envelope: Mapping[str, Any], body: Any) -> StoredMessage:
    task = envelope["headers"]["task"]
    if task == NO_TASK:
        raise MessageError("a message in the broker holds no order")
    args, kwargs, embed = body
    order = kwargs["order"]
    if not isinstance(order, dict) or not all(isinstance(order.get(name), kind) for name, kind in _ADDRESS.items()):
        raise MessageError("a message in the broker holds no order: it does not say whose it is")
    return StoredMessage(
        task=task,
        queue=envelope["properties"]["delivery_info"]["routing_key"],
        order=order,
        envelope=envelope,
        body=(args, kwargs, embed),
    )
