"""What a run has met on its way to the workers and back that should not have been."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

_WORDS = {
    "orders_resent": "orders were lost by the broker and sent again",
    "orders_refused": "orders were refused while this run gave no sign of life, and sent again",
    "receipts_dropped": "receipts were dropped: repeated, late, or no answer to what was asked",
    "receipts_refused": "receipts were refused: malformed, or of another version",
}


@dataclass(kw_only=True, slots=True)
class Strays:
    """How often something came that should not have come, or did not come that should have."""

    orders_resent: int = 0
    orders_refused: int = 0
    receipts_dropped: int = 0
    receipts_refused: int = 0

    def counts(self) -> dict[str, int]:
        """For the history."""
        return asdict(self)

    def in_words(self) -> Iterator[str]:
        """For a person: what there was, a line each."""
        return (f"{count} {_WORDS[name]}" for name, count in self.counts().items() if count)
