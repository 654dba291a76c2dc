"""JSON from a stranger: what it may cost is decided before it is parsed.

A value of three bytes such as ``[],`` takes Python twenty times as much memory, so a bound of the text's size is
not enough.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: A string, or the rest of the text where one does not end: linear in the size of the text, whatever it holds.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def load_bounded(text: bytes, max_values_count: int) -> Any:
    """What ``text`` says; raises ValueError unless it is JSON of at most ``max_values_count`` values."""
    check_values(text, max_values_count)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def check_values(text: bytes, max_values_count: int) -> None:
    """Raises ValueError when ``text``, whatever it is, has more values."""
    if _values_count(text) <= max_values_count:
        return
    # Each value may be a string under a key.  To look into more strings costs memory, too.
    if text.count(b'"') > 4 * max_values_count or _values_count(_STRING.sub(b"", text)) > max_values_count:
        raise ValueError(f"more than {max_values_count} values")


def _values_count(text: bytes) -> int:
    """At least as many values as ``text`` has; those in strings count too."""
    return 1 + text.count(b",") + text.count(b"[") + text.count(b"{")
