"""Moves orders between queues inside the broker, and lists those that are there.

kombu's layout in Redis: a queue is a list, published on the left and consumed on the right.  A consumed message
waits for its acknowledgement in a hash (delivery tag → [message, exchange, routing key]), with its time in a sorted
set; each queue has its own of both (:func:`tasks.broker.queues.unacked_keys`).

A plain RENAME or LMOVE is a trap, because a message names its queue and its delivery tag.  With the old
routing key, a restored message goes back to the dead device's queue.  With the old tag, the late
acknowledgement of a worker believed dead removes the new owner's entry.  So both are rewritten, and so
is the order, which names its device.

A script moves each message in one step, and only if it is still where it was seen.  Whatever consumers, producers and
other movers do meanwhile, no order is lost or duplicated.  (WATCH and MULTI would start again with each message that
somebody publishes meanwhile.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from producer.dispatch.stored_messages import StoredMessage, read_message, read_unacknowledged
from producer.dispatch.wrong_types import messages_in
from tasks.broker.queues import unacked_keys
from tasks.errors import MessageError

if TYPE_CHECKING:
    import redis

#: Messages in one call of a script, which blocks the server for about a millisecond.
CHUNK_COUNT = 100

# KEYS: the queue, then each message's destination.  ARGV: for each message its old and its new text;
# "" drops it.  The oldest is on the right, where LREM with -1 starts to look.
_MOVE = """
local done = {}
for i = 2, #KEYS do
  done[i - 1] = redis.call('LREM', KEYS[1], -1, ARGV[2 * i - 3])
  if done[i - 1] == 1 and ARGV[2 * i - 2] ~= '' then
    redis.call('LPUSH', KEYS[i], ARGV[2 * i - 2])
  end
end
return done
"""

# KEYS: the hash, the sorted set, then each message's destination.  ARGV: for each its tag and its new text.
_TAKE_BACK = """
local done = {}
for i = 3, #KEYS do
  done[i - 2] = redis.call('HDEL', KEYS[1], ARGV[2 * i - 5])
  if done[i - 2] == 1 then
    redis.call('ZREM', KEYS[2], ARGV[2 * i - 5])
    if ARGV[2 * i - 4] ~= '' then
      redis.call('RPUSH', KEYS[i], ARGV[2 * i - 4])
    end
  end
end
return done
"""


class Destination(Struct, frozen=True, kw_only=True):
    """Where an order goes, and what it says from then on: its device, device id, epoch, attempt."""

    queue: str
    changes: Mapping[str, Any] = field(default_factory=dict)


#: Instead of a destination: the message stays where it is.
LEAVE = Destination(queue="")

#: Decides where one order goes; None drops it.  The order is given as it travels, not validated.
Choose = Callable[[Mapping[str, Any]], Destination | None]


class Moves(Struct, frozen=True, kw_only=True):
    """What happened to each order, by its id.  A message that was consumed meanwhile appears in neither."""

    #: Order id → its new queue.
    moved: Mapping[str, str]
    dropped: tuple[str, ...]
    #: Messages that stayed because they hold no order; a worker will refuse them.
    unreadable_count: int


class WaitingOrder(Struct, frozen=True, kw_only=True):
    """An order in the broker; values as they travel, not validated."""

    queue: str
    #: Whether a worker has taken it and not acknowledged it yet.
    unacknowledged: bool
    task: str
    run_id: str
    order_id: str
    device: str
    epoch: int


def move_queue(client: redis.Redis, queue: str, choose: Choose) -> Moves:
    """Move every message in ``queue`` to the queue that ``choose`` names, oldest first.

    Moved messages keep their order, behind those that are there already.  A destination that is ``queue`` itself,
    without changes, leaves the message where it is.  Messages published to ``queue`` during the call may stay: call
    again.  Raises redis.RedisError; what was moved before stays moved, and another call continues.
    """
    script = client.register_script(_MOVE)
    tally = _Tally(stay=queue)
    left_count, kept_count = client.llen(queue), 0
    while left_count > 0:
        # The oldest that are not known to stay; -1 is the oldest of all.
        chunk = client.lrange(queue, -(kept_count + min(CHUNK_COUNT, left_count)), -(kept_count + 1))
        if not chunk:
            break
        left_count -= len(chunk)
        steps = tally.decide([(raw, _read(raw, read_message)) for raw in reversed(chunk)], choose)
        kept_count += len(chunk) - len(steps)
        tally.apply(script, [queue], steps)
    return tally.result()


def take_back(client: redis.Redis, queue: str, choose: Choose) -> Moves:
    """Move what a consumer of ``queue`` took and did not acknowledge to the queues that ``choose`` names.

    These messages go to the front: they are the oldest.  Only for a device whose workers are fenced: otherwise the
    work is done twice.  ``queue`` itself is a valid destination.  Raises redis.RedisError, like move_queue.
    """
    script = client.register_script(_TAKE_BACK)
    tally = _Tally(stay=None)
    keys = unacked_keys(queue)
    held = [(tag, _read(raw, read_unacknowledged)) for tag, raw in client.hgetall(keys.messages).items()]
    for start in range(0, len(held), CHUNK_COUNT):
        tally.apply(script, [keys.messages, keys.times], tally.decide(held[start : start + CHUNK_COUNT], choose))
    return tally.result()


def waiting_orders(client: redis.Redis, queues: Iterable[str]) -> list[WaitingOrder]:
    """All orders of ``queues`` in the broker at one moment, waiting or unacknowledged.

    An order is missing only when it is missing twice: for an instant, between being taken and being recorded as
    unacknowledged, a message is nowhere.
    """
    names = list(dict.fromkeys(queues))
    with client.pipeline(transaction=True) as pipe:
        for name in names:
            pipe.lrange(name, 0, -1)
            pipe.hvals(unacked_keys(name).messages)
        answers = [messages_in(answer) for answer in pipe.execute(raise_on_error=False)]
    queued = [(name, raw) for name, raws in zip(names, answers[::2], strict=True) for raw in raws]
    held = [(name, raw) for name, raws in zip(names, answers[1::2], strict=True) for raw in raws]
    waiting = [_waiting(_read(raw, read_message), name, unacknowledged=False) for name, raw in queued]
    waiting += [_waiting(_read(raw, read_unacknowledged), name, unacknowledged=True) for name, raw in held]
    return [order for order in waiting if order is not None]


def _read(raw: bytes | str, read: Callable[[bytes | str], StoredMessage]) -> StoredMessage | None:
    try:
        return read(raw)
    except MessageError:
        return None


def _waiting(message: StoredMessage | None, queue: str, *, unacknowledged: bool) -> WaitingOrder | None:
    if message is None:
        return None
    return WaitingOrder(
        queue=queue,
        unacknowledged=unacknowledged,
        task=message.task,
        run_id=message.order.get("run_id", ""),
        order_id=message.order.get("order_id", ""),
        device=message.order.get("device", ""),
        epoch=message.order.get("epoch", 0),
    )


class _Step(Struct, frozen=True, kw_only=True):
    """One message to move: what identifies it in its place, and its new text ("" when it is dropped)."""

    place: bytes | str
    order_id: str
    queue: str | None
    becomes: bytes


def _step(place: bytes | str, message: StoredMessage, destination: Destination | None) -> _Step:
    order_id = message.order.get("order_id", "")
    if destination is None:
        return _Step(place=place, order_id=order_id, queue=None, becomes=b"")
    becomes = message.readdressed(destination.queue, destination.changes)
    return _Step(place=place, order_id=order_id, queue=destination.queue, becomes=becomes)


class _Tally:
    """The decisions of one call and their outcome."""

    def __init__(self, stay: str | None) -> None:
        self._stay = stay
        self._moved: dict[str, str] = {}
        self._dropped: list[str] = []
        self._unreadable_count = 0

    def decide(self, messages: Iterable[tuple[bytes | str, StoredMessage | None]], choose: Choose) -> list[_Step]:
        """The steps for those messages that do not stay; each message comes with what identifies it in its place."""
        steps = []
        for place, message in messages:
            if message is None:
                self._unreadable_count += 1
                continue
            destination = choose(message.order)
            if destination is LEAVE:
                continue
            if destination is None or destination.changes or destination.queue != self._stay:
                steps.append(_step(place, message, destination))
        return steps

    def apply(self, script: Any, keys: list[str], steps: list[_Step]) -> None:
        if not steps:
            return
        # A dropped message needs a key too; the script does not use it.
        destinations = [step.queue or keys[0] for step in steps]
        arguments = [word for step in steps for word in (step.place, step.becomes)]
        for step, done in zip(steps, script(keys=[*keys, *destinations], args=arguments), strict=True):
            if not done:
                continue
            if step.queue is None:
                self._dropped.append(step.order_id)
            else:
                self._moved[step.order_id] = step.queue

    def result(self) -> Moves:
        return Moves(moved=self._moved, dropped=tuple(self._dropped), unreadable_count=self._unreadable_count)
