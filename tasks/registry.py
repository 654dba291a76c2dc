"""The table of all orders: what each is called, what it asks, what it answers.

A new order takes its two classes (:mod:`tasks.orders`, :mod:`tasks.receipts`), one row here, and one method with the
row's name in ``workers/process/handlers.py``.  Its Celery task, its decoding and its time limit follow from the row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct

from tasks.orders import (
    AdoptDevice,
    ConfirmEmpty,
    DescribeDevice,
    GetManifest,
    Order,
    PrepareImage,
    PutManifest,
    ReadSegment,
    RestoreEntries,
    RestoreSegment,
    StoreSegment,
    VerifySegments,
)
from tasks.orders.cleaning import (
    ContentsResult,
    DeleteResult,
    DeleteStored,
    DescribeObjects,
    ExamineObjects,
    ListObjects,
    ObjectsResult,
    OriginsResult,
)
from tasks.orders.copying import CopyObject, CopyResult
from tasks.orders.parity import ListParity, MakeParity, ParityList, ParityResult
from tasks.orders.repacking import RepackObject, RepackResult
from tasks.orders.target_looks import FindSurplus, PreviewEntries, PreviewResult, SurplusResult
from tasks.receipts import (
    DeviceReport,
    EmptyResult,
    ManifestResult,
    ReadResult,
    RestoreResult,
    StoreResult,
    VerifyResult,
)
from tasks.values import MAX_UNIT_BYTES

#: A limit above it costs an order no time.
FULL_SPEED_BYTES_PER_S = 100_000_000

O = TypeVar("O", bound=Order)  # noqa: E741


class OrderKind(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    #: The method that carries it out.
    name: str
    order: type[Order]
    result: type[Any]
    #: Whether workers refuse it once its run is over (:mod:`tasks.broker.signs`).  True for what changes a target, or
    #: what a device is.  A segment that is stored late does no harm, for its id names its content; nor does reading.
    must_not_outlive_run: bool
    #: The bytes that such an order moves, at most: its time limit allows for them.
    bytes_moved: Callable[[Any], int]

    @property
    def task(self) -> str:
        """The name of its Celery task, as messages and Flower have it."""
        return f"segfleet.{self.name}"


def kind_of(order: Order) -> OrderKind:
    return _BY_CLASS[type(order)]


def _one_unit(_order: Order) -> int:
    """To restore a single small file, a worker reads a whole unit."""
    return MAX_UNIT_BYTES


def verified_bytes(order: VerifySegments) -> int:
    """What a check at full speed could read while this one reads what it has to."""
    slower = max(1, -(-FULL_SPEED_BYTES_PER_S // order.limit_bytes_per_s)) if order.limit_bytes_per_s else 1
    return max(MAX_UNIT_BYTES, sum(order.stored_bytes)) * slower


def _kind(
    name: str,
    order: type[O],
    result: type[Any],
    *,
    must_not_outlive_run: bool = False,
    bytes_moved: Callable[[O], int] = _one_unit,
) -> OrderKind:
    return OrderKind(
        name=name, order=order, result=result, must_not_outlive_run=must_not_outlive_run, bytes_moved=bytes_moved
    )


ORDER_KINDS = (
    _kind("describe", DescribeDevice, DeviceReport),
    _kind("adopt", AdoptDevice, DeviceReport, must_not_outlive_run=True),
    _kind("store", StoreSegment, StoreResult, bytes_moved=lambda order: order.extents.total_bytes),
    _kind("confirm_empty", ConfirmEmpty, EmptyResult),
    _kind("put_manifest", PutManifest, ManifestResult, must_not_outlive_run=True),
    _kind("get_manifest", GetManifest, ManifestResult),
    _kind("copy", CopyObject, CopyResult, bytes_moved=lambda order: max(MAX_UNIT_BYTES, 2 * order.stored_bytes)),
    _kind("repack", RepackObject, RepackResult, bytes_moved=lambda order: max(MAX_UNIT_BYTES, 2 * order.stored_bytes)),
    _kind(
        "make_parity",
        MakeParity,
        ParityResult,
        must_not_outlive_run=True,
        bytes_moved=lambda order: max(MAX_UNIT_BYTES, 3 * sum(member.stored_bytes for member in order.members)),
    ),
    _kind("list_parity", ListParity, ParityList),
    _kind("delete", DeleteStored, DeleteResult, must_not_outlive_run=True),
    _kind("list_objects", ListObjects, ObjectsResult),
    _kind("examine", ExamineObjects, OriginsResult),
    _kind("describe_objects", DescribeObjects, ContentsResult),
    _kind(
        "restore_segment",
        RestoreSegment,
        RestoreResult,
        must_not_outlive_run=True,
        bytes_moved=lambda order: max(MAX_UNIT_BYTES, sum(order.sizes_bytes)),
    ),
    _kind("restore_entries", RestoreEntries, RestoreResult, must_not_outlive_run=True),
    _kind("preview_entries", PreviewEntries, PreviewResult),
    _kind("find_surplus", FindSurplus, SurplusResult),
    _kind(
        "prepare_image",
        PrepareImage,
        RestoreResult,
        must_not_outlive_run=True,
        bytes_moved=lambda order: max(MAX_UNIT_BYTES, order.size_bytes),
    ),
    _kind("read", ReadSegment, ReadResult),
    _kind(
        "verify",
        VerifySegments,
        VerifyResult,
        bytes_moved=verified_bytes,
    ),
)

#: Each row under the name of its Celery task.
KIND_OF_TASK = {kind.task: kind for kind in ORDER_KINDS}

_BY_CLASS = {kind.order: kind for kind in ORDER_KINDS}
