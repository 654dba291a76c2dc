"""A message as kombu keeps it in Redis: reading the order in it, and readdressing it.

JSON of ``{"body", "headers", "properties", "content-type", "content-encoding"}``.  The body is base64 of JSON again,
``[args, kwargs, embed]`` of the Celery task, and the order is the keyword argument ``order``.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tasks.errors import MessageError


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMessage:
    """One message with its order, which the worker that gets it will validate.

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
    return _read(_json(raw))


def read_unacknowledged(raw: bytes | str) -> StoredMessage:
    """The message in a value of a hash of unacknowledged ones; raises MessageError when it holds no order."""
    entry = _json(raw)
    if not isinstance(entry, list) or len(entry) != 3:
        raise MessageError("an unacknowledged message is not [message, exchange, routing key]")
    return _read(entry[0])


def _read(envelope: Any) -> StoredMessage:
    try:
        body = envelope["body"]
        if envelope["properties"].get("body_encoding") == "base64":
            body = base64.b64decode(body)
        args, kwargs, embed = _json(body)
        message = StoredMessage(
            task=envelope["headers"]["task"],
            queue=envelope["properties"]["delivery_info"]["routing_key"],
            order=kwargs["order"],
            envelope=envelope,
            body=(args, kwargs, embed),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MessageError(f"a message in the broker holds no order: {type(error).__name__} {error}") from error
    if not isinstance(message.order, dict):
        raise MessageError("a message in the broker holds no order: it is not an object")
    return message


def _json(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise MessageError(f"a message in the broker is not JSON: {error}") from error
