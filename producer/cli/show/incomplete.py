"""How a list says that a snapshot cannot be restored as a whole now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from producer.summaries import Incomplete


def in_words(incomplete: Iterable[Incomplete]) -> str:
    """``incomplete (device c)``, ``incomplete (device c, lost)``, or nothing for a snapshot that is whole."""
    names = [f"{lack.device}, lost" if lack.lost else lack.device for lack in incomplete]
    if not names:
        return ""
    return f"incomplete (device{'s' if len(names) > 1 else ''} {', '.join(names)})"
