"""Converts the values of this package to the JSON that travels, and back.

Decoding trusts nothing: it checks version, unknown keys, types and bounds, and raises
:class:`tasks.errors.MessageError`, which names the key, for anything that does not fit.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import fields, replace

from tasks.errors import MessageError
from tasks.orders import WIRE_VERSION, Order
from tasks.receipts import Receipt
from tasks.registry import KIND_OF_TASK

T = TypeVar("T")


def encode(value: Any) -> Any:
    """``value`` as plain dicts, lists and scalars.  Idempotent."""
    return msgspec.to_builtins(value)


def decode(cls: type[T], wire: Any) -> T:
    """The value of class ``cls`` that ``wire`` describes; raises MessageError for anything else."""
    _check_keys(cls, wire, cls.__name__)
    try:
        return msgspec.convert(wire, cls)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise MessageError(f"{cls.__name__}: {error}") from error


def decode_order(task: str, wire: Any) -> Order:
    """The order with which task ``task`` was called."""
    _check_version(task, wire)
    order: Order = decode(KIND_OF_TASK[task].order, wire)
    return order


def address_in(wire: Any) -> Order | None:
    """Who asked, for what, of an order that does not decode: so that it is answered all the same.

    None when that does not decode either.
    """
    if not isinstance(wire, dict):
        return None
    try:
        return decode(Order, {field.name: wire[field.name] for field in fields(Order) if field.name in wire})
    except MessageError:
        return None


def decode_receipt(wire: Any) -> Receipt:
    """The receipt, its result in the class that the row of its task promises."""
    _check_version("receipt", wire)
    envelope = decode(Receipt, wire)
    kind = KIND_OF_TASK.get(envelope.task)
    if kind is None:
        raise MessageError(f"receipt of unknown task {envelope.task!r}")
    if (envelope.result is None) == (envelope.failure is None):
        raise MessageError("a receipt has either a result or a failure")
    if envelope.result is None:
        return envelope
    return replace(envelope, result=decode(kind.result, envelope.result))


def _check_version(what: str, wire: Any) -> None:
    if not isinstance(wire, dict):
        raise MessageError(f"{what}: expected an object, got {type(wire).__name__}")
    if wire.get("version") != WIRE_VERSION:
        raise MessageError(
            f"{what}: message version {wire.get('version')!r}; this segfleet understands {WIRE_VERSION}",
            hint="run the same release of segfleet on every host",
        )


def _check_keys(cls: Any, wire: Any, where: str) -> None:
    """Raise MessageError for keys that ``cls`` does not have; msgspec ignores them."""
    if not isinstance(wire, dict):
        return
    nested = _fields(cls)
    unknown = sorted(str(key) for key in wire if key not in nested)
    if unknown:
        raise MessageError(f"{where}: unknown key {unknown[0]!r}")
    for key, (inner, many) in nested.items():
        if inner is None or key not in wire:
            continue
        rows = wire[key] if many and isinstance(wire[key], list | tuple) else [wire[key]]
        for row in rows:
            _check_keys(inner, row, f"{where}.{key}")


@cache
def _fields(cls: Any) -> dict[str, tuple[Any, bool]]:
    """Field name → (the struct inside it or None, whether it is a sequence of them)."""
    return {name: _struct_inside(hint) for name, hint in typing.get_type_hints(cls).items()}


def _struct_inside(hint: Any) -> tuple[Any, bool]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint, False
    many = typing.get_origin(hint) is tuple
    if many or typing.get_origin(hint) in (typing.Union, types.UnionType):
        for argument in typing.get_args(hint):
            inner, _ = _struct_inside(argument)
            if inner is not None:
                return inner, many
    return None, False
