"""JSON as segfleet's hosts write it to each other beside the queue of orders: ASCII, bounded, nothing but values.

Text of any bytes survives: bytes of a name that are not UTF-8 travel as the surrogates that Python makes of them.
"""

from __future__ import annotations

import json
from typing import Any

from tasks.errors import MessageError

#: A command with a thousand patterns, or a reply with 512 KiB of output in base64, takes less.
MAX_BYTES = 8 * 2**20


def dump_json(value: Any) -> bytes:
    """``value``, plain dicts, lists and scalars, on one line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def load_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """What ``data`` says, as plain values that nobody has checked; raises MessageError for anything but JSON."""
    if len(data) > max_bytes:
        raise MessageError(f"{len(data)} bytes, where {max_bytes} are the most")
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"no JSON: {error}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number")
