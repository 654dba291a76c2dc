"""What an order is called in logs and in Flower."""

from __future__ import annotations

import uuid

from tasks.orders import Order, StoreSegment


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
