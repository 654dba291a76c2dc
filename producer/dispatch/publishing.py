"""Publishes orders.  Each becomes a Celery message with an id, a line for people, and a time limit."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

import tasks.definitions  # noqa: F401  defines the tasks
from tasks.app import app, queue
from tasks.broker.queues import device_queue
from tasks.orders import Order, StoreSegment
from tasks.registry import kind_of
from tasks.wire import encode

#: Messages in one batch; kombu's batches are some three times faster than single sends.
_BATCH_COUNT = 500

#: The slowest device that is still usable.
_MIN_RATE_BYTES_PER_S = 1_000_000

#: Besides the bytes: a worker's first steps, a disk that has to spin up.
_BASE_S = 60


def publish(orders: Sequence[Order]) -> None:
    """Put orders into the queues of their devices.  Raises what a broken broker raises (:data:`tasks.app.BROKEN`)."""
    for start in range(0, len(orders), _BATCH_COUNT):
        _publish_batch(orders[start : start + _BATCH_COUNT])


def _publish_batch(orders: Sequence[Order]) -> None:
    with app.producer_or_acquire() as producer, producer.batch(_BATCH_COUNT):
        for order in orders:
            limit_s = time_limit_s(order)
            app.send_task(
                kind_of(order).task,
                kwargs={"order": encode(order)},
                queue=queue(device_queue(order.device)),
                producer=producer,
                task_id=task_id(order),
                argsrepr="",
                kwargsrepr=describe_order(order),
                soft_time_limit=limit_s,
                time_limit=limit_s * 5 // 4,
            )


def time_limit_s(order: Order) -> int:
    """How long an order may take before its worker gives up: three times what its bytes take at 1 MB/s, and a minute.

    This ends an order even where nobody watches the worker.
    """
    return _BASE_S + 3 * kind_of(order).bytes_moved(order) // _MIN_RATE_BYTES_PER_S


def task_id(order: Order) -> str:
    """The same order, attempt and epoch give the same id, so that logs and Flower show repeats as such."""
    name = f"{type(order).__name__}/{order.run_id}/{order.order_id}/{order.device}/{order.epoch}/{order.attempt}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


def describe_order(order: Order) -> str:
    """One line for Flower and for logs: what the order is about."""
    if not isinstance(order, StoreSegment):
        return f"{order.order_id[:8]} on {order.device}"
    extents = order.extents
    path = f"{order.source}/{extents.paths[0]}" if extents.paths else order.source
    first = ascii(path)[1:-1][:120]
    more = f" and {len(extents) - 1} more" if len(extents) > 1 else ""
    return f"segment {order.order_id[:8]} on {order.device}: {first}{more}, {extents.total_bytes} bytes"
