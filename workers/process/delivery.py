"""Publishing receipts: the worker's only words to the broker that Celery does not say itself."""

from __future__ import annotations

from tasks.app import BROKEN, app
from tasks.errors import BrokerError
from tasks.receipts import Receipt
from tasks.wire import encode

_PERSISTENT = 2


def publish_receipt(receipt: Receipt, queue: str) -> None:
    """Put ``receipt`` into a manager's queue; returns once the broker has it.

    Goes through the default exchange, as queue names promise, and retries as publishing tasks does.  Raises
    BrokerError when that has not helped.
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
