"""Which receipts answer an order, and which only look like it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kit.models.offline import Devices, receipt_for
from producer.dispatch.strays import answers
from tasks.errors import Reason
from tasks.orders import StoreSegment
from tasks.receipts import ExtentNote, Failure, Receipt
from tasks.values import Extents

SIZES_BYTES = (5, 7)

ORDER = StoreSegment(
    run_id="1" * 32,
    order_id="2" * 32,
    device="a",
    device_id="3" * 32,
    epoch=4,
    attempt=2,
    reply_to="manager.x",
    segment_id="2" * 32,
    object_id="b" * 32,
    snapshot_id="5" * 32,
    volume="home",
    number=0,
    source="data",
    extents=Extents(paths=("x", "y"), offsets_bytes=(0, 0), sizes_bytes=SIZES_BYTES),
    threshold_bytes=12,
    unit_bytes=64 * 1024,
    block_bytes=1024,
    level=3,
    threads=1,
)


def stored(**fields: Any) -> Receipt:
    return receipt_for(ORDER, Devices({}).stored(ORDER, **fields))


def note(index: int, read_bytes: int) -> tuple[ExtentNote, ...]:
    return (ExtentNote(index=index, trouble="changed", read_bytes=read_bytes, message=""),)


@pytest.mark.parametrize(
    "receipt",
    [
        stored(),
        stored(notes=note(1, SIZES_BYTES[1])),
        replace(stored(), run_id="f" * 32),
        receipt_for(ORDER, Failure(reason=Reason.DEVICE, code="io", message="")),
    ],
    ids=["stored", "stored with a note", "of an earlier run", "failed"],
)
def test_what_was_asked_for_is_answered(receipt: Receipt) -> None:
    assert answers(receipt, ORDER)


@pytest.mark.parametrize(
    "receipt",
    [
        replace(stored(), task="segfleet.verify"),
        replace(stored(), device_id="f" * 32),
        replace(stored(), order_id="f" * 32),
        replace(stored(), epoch=3),
        replace(stored(), attempt=1),
        stored(bytes_source=13),
        stored(notes=note(2, 0)),
        stored(notes=note(0, SIZES_BYTES[0] + 1)),
    ],
    ids=[
        "another task",
        "another device's id",
        "another order",
        "another epoch",
        "another try",
        "more bytes than asked for",
        "a note of an extent that there is not",
        "more read than there was",
    ],
)
def test_what_nobody_asked_for_is_no_answer(receipt: Receipt) -> None:
    assert not answers(receipt, ORDER)
