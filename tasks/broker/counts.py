"""Numbers that one process leaves for another in a key of the broker."""

from __future__ import annotations

#: Those of 2**63.
_MAX_DIGITS_COUNT = 19


def count_in(value: object) -> int | None:
    """The count in what a key holds; None where there is no key, or somebody has put something else there."""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else value
    is_count = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS_COUNT
    return int(str(text)) if is_count else None
