"""How long an order may take: its worker gives it up by itself, even where nobody watches the worker."""

from __future__ import annotations

from tasks.orders import Order, PrepareImage, RestoreSegment, StoreSegment, VerifySegments

#: The slowest device that is still a device.
_MIN_RATE_BYTES_PER_S = 1_000_000

#: Beside the bytes: a worker's first steps, a disk that has to spin up.
_BASE_S = 60

#: Assumed at least of what is no store: to restore one file takes a whole unit, which may have 1 GiB.
_OTHER_BYTES = 2**30


def time_limit_s(order: Order) -> int:
    """Three times what the order's bytes take at 1 MB/s, and a minute."""
    return _BASE_S + 3 * _size_bytes(order) // _MIN_RATE_BYTES_PER_S


def _size_bytes(order: Order) -> int:
    match order:
        case StoreSegment():
            return order.extents.total_bytes
        case RestoreSegment():
            return max(_OTHER_BYTES, sum(order.sizes_bytes))
        case PrepareImage():
            return max(_OTHER_BYTES, order.size_bytes)
        case VerifySegments():
            return max(_OTHER_BYTES, sum(order.stored_bytes))
    return _OTHER_BYTES
