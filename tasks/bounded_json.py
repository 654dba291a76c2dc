"""JSON that hosts and devices hand to each other: what it may cost is decided before it is parsed.

A value of three bytes such as ``[],`` takes Python twenty times as much memory, so a bound of the text's size is
not enough.

Text of any bytes survives: bytes of a name that are not UTF-8 travel as the surrogates that Python makes of them.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tasks.errors import MessageError

#: A string, or the rest of the text where one does not end: linear in the size of the text, whatever it holds.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)

#: A command with a thousand patterns, or a reply with 512 KiB of output in base64, takes less.
MAX_BYTES = 8 * 2**20
_MAX_VALUES_COUNT = 100_000


def load_bounded(text: bytes, max_values_count: int) -> Any:
    """What ``text`` says; raises ValueError unless it is JSON of at most ``max_values_count`` values."""
    check_values(text, max_values_count)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_values(text: bytes, max_values_count: int) -> None:
    """Raises ValueError when ``text``, whatever it is, has more values."""
    # Each takes a character at least, so of a short text there is nothing to count.
    if len(text) < max_values_count or _values_count(text) <= max_values_count:
        return
    # Each value may be a string under a key.  To look into more strings costs memory, too.
    if text.count(b'"') > 4 * max_values_count or _values_count(_STRING.sub(b"", text)) > max_values_count:
        raise ValueError(f"more than {max_values_count} values")


def _values_count(text: bytes) -> int:
    """At least as many values as ``text`` has; those in strings count too."""
    return 1 + text.count(b",") + text.count(b"[") + text.count(b"{")


def dump_json(value: Any) -> bytes:
    """``value``, plain dicts, lists and scalars, on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def load_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """What ``data`` says, as plain values that nobody has checked; raises MessageError for anything but JSON."""
    if len(data) > max_bytes:
        raise MessageError(f"{len(data)} bytes, where {max_bytes} are the most")
    try:
        check_values(data, _MAX_VALUES_COUNT)
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"not JSON: {error}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")
