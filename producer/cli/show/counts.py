"""Numbers of things, as people say them."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` where it is not ``one`` and an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
