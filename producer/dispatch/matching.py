"""Does a receipt answer an order?  Pure.

A receipt comes from whoever may write into the manager's queue: one that reads well may still be of another try, of
another task, or tell of more than was asked for.
"""

from __future__ import annotations

from tasks.orders import Order, StoreSegment
from tasks.receipts import Receipt, StoreResult
from tasks.registry import kind_of


def answers(receipt: Receipt, order: Order) -> bool:
    """Whether it is the answer to this try of the order; the run that gave it may have been an earlier one."""
    same = (receipt.order_id, receipt.device_id, receipt.epoch, receipt.attempt) == (
        order.order_id,
        order.device_id,
        order.epoch,
        order.attempt,
    )
    return same and receipt.task == kind_of(order).task and _is_possible(receipt.result, order)


def _is_possible(result: object, order: Order) -> bool:
    """Whether the segment told of as stored is the one that was to be stored."""
    if not isinstance(order, StoreSegment) or not isinstance(result, StoreResult):
        return True
    extents_count = len(order.extents)
    return result.bytes_source == order.extents.total_bytes and all(
        note.index < extents_count and note.read_bytes <= order.extents.sizes_bytes[note.index] for note in result.notes
    )
