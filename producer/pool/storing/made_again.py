"""What a repair has made again of what devices have lost."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field


class MadeAgain(Struct, frozen=True, kw_only=True):
    """``made_count``: objects, from copies and parity; the files are those that were read for what neither gives.

    ``loads_bytes``: what was stored on each device, by name; ``failures``: why not all was made, each reason once.
    """

    made_count: int = 0
    files_healed: int = 0
    bytes_healed: int = 0
    loads_bytes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, None] = field(default_factory=dict)
