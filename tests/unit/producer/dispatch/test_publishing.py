"""An order's time limit leaves room for all of its bytes at 1 MB/s."""

from __future__ import annotations

from typing import Any

import pytest

from producer.dispatch.publishing import time_limit_s
from tasks.orders import DescribeDevice, Order, PrepareImage, RestoreSegment, VerifySegments

TB = 10**12
IMAGE = {"target": "t", "size_bytes": TB, "zero_offsets_bytes": (), "zero_sizes_bytes": (), "force": True}
RESTORE = {
    "object_id": "5" * 32,
    "trailer_digest": "0" * 64,
    "target": "t",
    "paths": ("x", "y"),
    "stream_offsets_bytes": (0, TB // 2),
    "offsets_bytes": (0, 0),
    "sizes_bytes": (TB // 2, TB // 2),
    "metadata": ((), ()),
    "overwrite": "always",
    "threads": 1,
}
VERIFY = {
    "object_ids": ("5" * 32, "6" * 32),
    "stored_bytes": (1, TB - 1),
    "trailer_digests": ("0" * 64, "0" * 64),
    "read_data": True,
}


def order(cls: type[Order], **fields: Any) -> Order:
    envelope: dict[str, Any] = {
        "run_id": "1" * 32,
        "order_id": "2" * 32,
        "device": "a",
        "device_id": "d" * 32,
        "epoch": 0,
    }
    return cls(**envelope, attempt=1, reply_to="manager.m", **fields)


@pytest.mark.parametrize(
    ("cls", "fields"), [(PrepareImage, IMAGE), (RestoreSegment, RESTORE), (VerifySegments, VERIFY)]
)
def test_a_large_order_gets_three_times_what_its_bytes_take(cls: type[Order], fields: dict[str, Any]) -> None:
    assert time_limit_s(order(cls, **fields)) == 60 + 3 * TB // 1_000_000


def test_an_order_that_moves_no_bytes_gets_time_for_a_gibibyte() -> None:
    assert time_limit_s(order(DescribeDevice)) == 60 + 3 * 2**30 // 1_000_000
