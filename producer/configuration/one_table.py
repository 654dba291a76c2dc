"""Reads one table of the configuration file, as its class says."""

from __future__ import annotations

import difflib
import re
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from producer.configuration.tables import Table
from producer.configuration.values.sizes import format_size, parse_size
from producer.configuration.wrong_values import in_words
from tasks.errors import UsageError

Read = TypeVar("Read", bound=Table)

#: Keys whose values are sizes, in any table, and the smallest useful size.  Below 1 KiB per second a backup would seem
#: to hang.
_SMALLEST_BYTES = {"max-rate": 1024, "reserve": 0, "segment-size": 0, "unit-size": 0}


class Flaw(Exception):
    """What is wrong with the value at a key path.  The reader of the file adds the line."""

    def __init__(self, keys: tuple[str, ...], message: str, hint: str = "") -> None:
        super().__init__(message)
        self.keys = keys
        self.message = message
        self.hint = hint


def tables_in(value: Any, section: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Flaw((section,), f"{section}: must be a table", hint=f"write [{section}.NAME]")
    return value


def read_table(value: Any, keys: tuple[str, ...], cls: type[Read]) -> Read:
    """The table at ``keys`` as an instance of ``cls``."""
    if isinstance(value, dict):
        refuse_unknown_keys(value, keys, cls)
        _check_sizes(value, keys)
        _refuse_nul(value, keys)
    try:
        return msgspec.convert(value, cls)
    except msgspec.ValidationError as error:
        message, _, inside = str(error).partition(" - at `$.")
        at = (*keys, *re.findall(r"[\w-]+", inside)[:1])
        raise Flaw(at, f"{'.'.join(at)}: {in_words(message)}", _choices(at, cls)) from error


def _choices(keys: tuple[str, ...], cls: type[Table]) -> str:
    """What the key accepts, as a hint; "" unless it is one of a few words."""
    hint = get_type_hints(cls).get(keys[-1].replace("-", "_"))
    words = [word for part in get_args(hint) if get_origin(part) is Literal for word in get_args(part)]
    return f"use {', '.join(words[:-1])} or {words[-1]}" if words else ""


def refuse_unknown_keys(table: dict[str, Any], keys: tuple[str, ...], cls: type[Table]) -> None:
    known = [field.encode_name for field in msgspec.structs.fields(cls)]
    unknown = next((key for key in table if key not in known), None)
    if unknown is None:
        return
    near = difflib.get_close_matches(unknown, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(sorted(known))}"
    raise Flaw((*keys, unknown), f"unknown key {unknown!r}" + (f" in [{'.'.join(keys)}]" if keys else ""), hint)


def _refuse_nul(table: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Paths, URLs and commands end up in system calls, which accept no NUL."""
    for key, value in table.items():
        if isinstance(value, str) and "\0" in value:
            raise Flaw(
                (*keys, key), f"{'.'.join((*keys, key))}: {value!r} contains a NUL character", hint="remove the \\u0000"
            )


def _check_sizes(table: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in _SMALLEST_BYTES.keys() & table.keys():
        where = ".".join((*keys, key))
        try:
            size_bytes = parse_size(str(table[key]))
        except UsageError as error:
            raise Flaw((*keys, key), f"{where}: {error.message}", error.hint) from error
        if size_bytes < _SMALLEST_BYTES[key]:
            hint = f"give at least {format_size(_SMALLEST_BYTES[key])}, or leave {key} out"
            raise Flaw((*keys, key), f"{where}: {table[key]!r} is too small", hint)
