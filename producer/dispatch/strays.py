"""Strays: orders and receipts that went astray.  Which receipts answer nothing that was asked, and the counts.

The broker may lose an order, or deliver a receipt twice or late.  And anyone who may write into the manager's queue can
send a receipt that reads well, but belongs to another attempt or task, or reports more than was ordered.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import asdict

from producer.dispatch.possible import is_possible
from tasks.orders import Order
from tasks.receipts import Receipt
from tasks.registry import kind_of

_WORDS = {
    "orders_resent": "orders were lost by the broker and sent again",
    "orders_refused": "orders were refused while this run gave no sign of life, and sent again",
    "receipts_dropped": "receipts were dropped: repeated, late, or no answer to what was asked",
    "receipts_refused": "receipts were refused: malformed, or of another version",
}


class Strays(Struct, kw_only=True):
    """How many messages of one run were lost, repeated or unexpected."""

    orders_resent: int = 0
    orders_refused: int = 0
    receipts_dropped: int = 0
    receipts_refused: int = 0

    def counts(self) -> dict[str, int]:
        """For the history."""
        return asdict(self)

    def in_words(self) -> Iterator[str]:
        """For a person: one line for each count that is not 0."""
        return (f"{count} {_WORDS[name]}" for name, count in self.counts().items() if count)


def answers(receipt: Receipt, order: Order) -> bool:
    """Whether ``receipt`` answers this attempt of ``order``; an earlier run may have sent the order."""
    same = (receipt.order_id, receipt.device_id, receipt.epoch, receipt.attempt) == (
        order.order_id,
        order.device_id,
        order.epoch,
        order.attempt,
    )
    if not same or receipt.task != kind_of(order).task:
        return False
    return receipt.failure is not None or is_possible(receipt.result, order)
