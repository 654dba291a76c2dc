"""Publishes receipts: the only messages of a worker that Celery does not send itself."""

from __future__ import annotations

from tasks.app import BROKEN, app
from tasks.errors import BrokerError
from tasks.receipts import Receipt
from tasks.wire import encode

_PERSISTENT = 2


def publish_receipt(receipt: Receipt, queue: str) -> None:
    """Put ``receipt`` into a manager's queue; returns once the broker has it.

    Uses the default exchange, like all queues of segfleet, and retries as publishing a task does.  Raises
    BrokerError when the retries fail.
    """
    try:
        with app.producer_or_acquire() as producer:
            producer.publish(
                encode(receipt),
                exchange="",
                routing_key=queue,
                serializer="json",
                delivery_mode=_PERSISTENT,
                retry=True,
                retry_policy=app.conf.task_publish_retry_policy,
            )
    except BROKEN as error:
        raise BrokerError(f"receipt of {receipt.order_id}: {error}") from error
