"""Every row of the table of orders is complete: a Celery task, and a worker's handler for its classes."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import pytest

import tasks.definitions  # noqa: F401  registers the tasks
from tasks import orders
from tasks.app import app
from tasks.handlers import OrderHandlers
from tasks.orders import Order, cleaning, copying, parity, repacking, target_looks
from tasks.registry import ORDER_KINDS, OrderKind
from workers.process.handlers import LocalHandlers


def public_methods(cls: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(cls, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("kind", ORDER_KINDS, ids=lambda kind: kind.name)
def test_every_row_has_a_handler_that_takes_its_order_and_returns_its_result(kind: OrderKind) -> None:
    assert get_type_hints(getattr(LocalHandlers, kind.name)) == {"order": kind.order, "return": kind.result}


def test_no_handler_is_without_a_row() -> None:
    handlers = public_methods(LocalHandlers) - public_methods(OrderHandlers)

    assert handlers == {kind.name for kind in ORDER_KINDS}


def test_every_order_class_has_one_row() -> None:
    classes = [
        cls
        for module in (orders, target_looks, cleaning, copying, repacking, parity)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, Order) and cls is not Order
    ]

    assert sorted(kind.order.__name__ for kind in ORDER_KINDS) == sorted(cls.__name__ for cls in classes)


def test_the_celery_tasks_are_those_of_the_rows() -> None:
    assert {name for name in app.tasks if name.startswith("segfleet.")} == {kind.task for kind in ORDER_KINDS}
