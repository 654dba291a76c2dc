"""How long an order may take: its worker gives it up by itself, even where nobody watches the worker."""

from __future__ import annotations

from tasks.orders import Order
from tasks.registry import kind_of

#: The slowest device that is still a device.
_MIN_RATE_BYTES_PER_S = 1_000_000

#: Beside the bytes: a worker's first steps, a disk that has to spin up.
_BASE_S = 60


def time_limit_s(order: Order) -> int:
    """Three times what the order's bytes take at 1 MB/s, and a minute."""
    return _BASE_S + 3 * kind_of(order).bytes_moved(order) // _MIN_RATE_BYTES_PER_S
