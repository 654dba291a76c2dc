"""The tasks.  A body decodes its order, calls one handler, and delivers the receipt.

No body raises: with late acknowledgement an exception would only drop the message, and the manager
would wait.  A failure is a receipt too, and the manager alone decides what follows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from tasks import handlers
from tasks.app import app
from tasks.errors import MessageError, Reason, SegfleetError
from tasks.orders import Order
from tasks.receipts import Failure, Receipt
from tasks.wire import decode_order

log = logging.getLogger("segfleet.tasks")


def _carry_out(task: str, wire: Any, handler: Callable[[Any], Any]) -> None:
    try:
        order = decode_order(task, wire)
    except MessageError as error:
        # There is no trustworthy address to answer to.
        log.warning("refused a %s message: %s", task, error)
        return
    result, failure = None, None
    try:
        result = handler(order)
    except SegfleetError as error:
        failure = Failure(
            reason=error.reason, code=error.code, message=error.message, hint=error.hint, path=error.path or ""
        )
    except SoftTimeLimitExceeded:
        failure = Failure(reason=Reason.TIMEOUT, code="timeout", message="the order took longer than its time limit")
    except Exception as error:
        log.exception("%s failed", task)
        failure = Failure(reason=Reason.DEVICE, code="unexpected", message=f"{type(error).__name__}: {error}")
    _answer(task, order, result, failure)


def _answer(task: str, order: Order, result: Any, failure: Failure | None) -> None:
    port = handlers.installed()
    receipt = Receipt(
        task=task,
        run_id=order.run_id,
        order_id=order.order_id,
        device=order.device,
        device_id=order.device_id,
        epoch=order.epoch,
        attempt=order.attempt,
        worker=port.worker,
        result=result,
        failure=failure,
    )
    try:
        port.deliver(receipt, order.reply_to)
    except SegfleetError as error:
        # The manager's reconciler misses the receipt and orders again; the repeat finds the work done.
        log.error("receipt of %s not delivered: %s", order.order_id, error)


@app.task(name="segfleet.describe")  # type: ignore[untyped-decorator]
def describe(order: dict[str, Any]) -> None:
    _carry_out("segfleet.describe", order, handlers.installed().describe)


@app.task(name="segfleet.adopt")  # type: ignore[untyped-decorator]
def adopt(order: dict[str, Any]) -> None:
    _carry_out("segfleet.adopt", order, handlers.installed().adopt)


@app.task(name="segfleet.store")  # type: ignore[untyped-decorator]
def store(order: dict[str, Any]) -> None:
    _carry_out("segfleet.store", order, handlers.installed().store)


@app.task(name="segfleet.put_manifest")  # type: ignore[untyped-decorator]
def put_manifest(order: dict[str, Any]) -> None:
    _carry_out("segfleet.put_manifest", order, handlers.installed().put_manifest)


@app.task(name="segfleet.get_manifest")  # type: ignore[untyped-decorator]
def get_manifest(order: dict[str, Any]) -> None:
    _carry_out("segfleet.get_manifest", order, handlers.installed().get_manifest)


@app.task(name="segfleet.restore_segment")  # type: ignore[untyped-decorator]
def restore_segment(order: dict[str, Any]) -> None:
    _carry_out("segfleet.restore_segment", order, handlers.installed().restore_segment)


@app.task(name="segfleet.restore_entries")  # type: ignore[untyped-decorator]
def restore_entries(order: dict[str, Any]) -> None:
    _carry_out("segfleet.restore_entries", order, handlers.installed().restore_entries)


@app.task(name="segfleet.prepare_image")  # type: ignore[untyped-decorator]
def prepare_image(order: dict[str, Any]) -> None:
    _carry_out("segfleet.prepare_image", order, handlers.installed().prepare_image)


@app.task(name="segfleet.read")  # type: ignore[untyped-decorator]
def read(order: dict[str, Any]) -> None:
    _carry_out("segfleet.read", order, handlers.installed().read)


@app.task(name="segfleet.verify")  # type: ignore[untyped-decorator]
def verify(order: dict[str, Any]) -> None:
    _carry_out("segfleet.verify", order, handlers.installed().verify)
