"""The port between the Celery tasks and the code that carries orders out.

The tasks live in :mod:`tasks`, that code in ``workers``; ``tasks`` imports neither side.  A worker installs its
handlers before it forks; a process without any cannot carry out orders.
"""

from __future__ import annotations

from typing import Protocol

from tasks.errors import SegfleetError
from tasks.orders import Order
from tasks.receipts import Receipt, Result


class OrderHandlers(Protocol):
    """Carries out orders on the devices of one worker.

    Called from the main thread of the pool's child, one order at a time.
    """

    #: Node name, for receipts and logs.
    worker: str

    def handle(self, order: Order) -> Result:
        """Carry out the order; the result has the class that its row in :mod:`tasks.registry` promises.

        Idempotent.  Raises a SegfleetError where the order as a whole fails.
        """

    def deliver(self, receipt: Receipt, queue: str) -> None:
        """Publish a receipt; returns once the broker has it, or raises BrokerError."""


class HandlersNotInstalled(SegfleetError):
    code = "handlers-not-installed"
    hint = "start it with: segfleet worker DEVICE"


_installed: OrderHandlers | None = None


def install(handlers: OrderHandlers) -> None:
    """Make ``handlers`` carry out the orders of this process and of the children that it forks later."""
    global _installed
    _installed = handlers


def installed() -> OrderHandlers:
    """Raises HandlersNotInstalled."""
    if _installed is None:
        raise HandlersNotInstalled("this process has no devices, and would lose the orders that it takes")
    return _installed
