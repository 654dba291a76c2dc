"""Counts in words: singular and plural."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` is the plural if it is not ``one`` + s."""
    return f"{count} {one if count == 1 else many or one + 's'}"
