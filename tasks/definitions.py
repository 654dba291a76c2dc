"""The Celery tasks, one for each row of :mod:`tasks.registry`.  Importing this module defines them.

All have the same body: decode the order, handle it, deliver the receipt.  It never raises: with late acknowledgement
an exception would only drop the message, and the manager would wait.  A failure travels as a receipt too, and only
the manager decides what follows.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from celery.signals import celeryd_init

from tasks import handlers
from tasks.app import app
from tasks.errors import MessageError, Reason, SegfleetError, UsageError
from tasks.handlers import HandlersNotInstalled, OrderHandlers
from tasks.orders import Order
from tasks.receipts import Failure, Receipt, Result
from tasks.registry import ORDER_KINDS, OrderKind
from tasks.wire import address_in, decode_order

log = logging.getLogger("segfleet.tasks")


@celeryd_init.connect  # type: ignore[untyped-decorator]
def _refuse_to_start(**_signal: Any) -> None:
    """End a Celery worker that was started without handlers: it would acknowledge orders, and carry out none."""
    try:
        handlers.installed()
    except HandlersNotInstalled as error:
        print(f"segfleet: {error.message}\n  {error.hint}", file=sys.stderr)
        sys.exit(UsageError.exit_code)


def _answer(task: str, wire: Any) -> None:
    port = handlers.installed()
    try:
        order = decode_order(task, wire)
    except MessageError as error:
        log.warning("refused a %s message: %s", task, error)
        address = address_in(wire)
        if address is not None:
            _deliver(port, task, address, None, _failure_of(error))
        return
    result, failure = _outcome(task, order, port)
    _deliver(port, task, order, result, failure)


def _deliver(port: OrderHandlers, task: str, order: Order, result: Result | None, failure: Failure | None) -> None:
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
        # The manager notices that the order is gone and sends it again; the repeat finds the work done.
        log.error("the receipt of order %s was not delivered: %s", order.order_id, error)


def _failure_of(error: SegfleetError) -> Failure:
    return Failure(reason=error.reason, code=error.code, message=error.message, hint=error.hint, path=error.path or "")


def _outcome(task: str, order: Order, port: OrderHandlers) -> tuple[Result | None, Failure | None]:
    """The order's result, or why there is none."""
    try:
        return port.handle(order), None
    except SegfleetError as error:
        return None, _failure_of(error)
    except SoftTimeLimitExceeded:
        return None, Failure(reason=Reason.TIMEOUT, code="timeout", message="the order took longer than its time limit")
    except Exception as error:
        log.exception("%s failed", task)
        return None, Failure(reason=Reason.DEVICE, code="unexpected", message=f"{type(error).__name__}: {error}")


def _define(kind: OrderKind) -> None:
    def body(order: dict[str, Any]) -> None:
        _answer(kind.task, order)

    body.__name__ = kind.name
    app.task(name=kind.task)(body)


for _kind in ORDER_KINDS:
    _define(_kind)
