"""Keys of a queue that are no queue: anyone who may write them can put a string in the place of the list.

That ends no run: such a queue is deleted, with whatever its other keys hold, and orders that are lost are sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import redis

from tasks.app import BROKEN
from tasks.broker.queues import unacked_keys

T = TypeVar("T")


def delete_queue(client: redis.Redis, queue: str) -> None:
    """Delete what waits in the queue, and what its consumers have taken; raises redis.RedisError."""
    keys = unacked_keys(queue)
    client.delete(queue, keys.messages, keys.times)


def with_queues(client: redis.Redis, queues: Iterable[str], work: Callable[[], T]) -> T:
    """What ``work`` returns; where it meets a key of another type, it is done again without what these queues held.

    Raises what ``work`` raises, and redis.RedisError.
    """
    try:
        return work()
    except BROKEN as error:
        if not _is_wrong_type(error):
            raise
    for queue in queues:
        delete_queue(client, queue)
    return work()


def messages_in(answer: Any) -> list[bytes]:
    """The messages in one answer of a pipeline; none in a key of another type.  Raises redis.RedisError."""
    if isinstance(answer, Exception):
        if not _is_wrong_type(answer):
            raise answer
        return []
    return list(answer)


def _is_wrong_type(error: BaseException | None) -> bool:
    # kombu tells of a batch that failed, and why in the error's cause.
    return error is not None and ("WRONGTYPE" in str(error) or _is_wrong_type(error.__cause__))
