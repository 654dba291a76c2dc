"""Reads and shows sizes as people write them: ``24MiB``, ``1.5 GiB``, ``4096``."""

from __future__ import annotations

import re
from decimal import Decimal

from tasks.errors import UsageError

_FACTORS = {"": 1, "b": 1, "kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4}
_SIZE = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?) ?(?P<unit>[A-Za-z]*)")


def parse_size(text: str) -> int:
    """The number of bytes: a number, then nothing, KiB, MiB, GiB or TiB, in any case.

    Raises UsageError for anything else; also for ``MB`` and ``M``, which are ambiguous.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or match["unit"].lower() not in _FACTORS:
        raise UsageError(f"{text!r} is not a size", hint="write a number with KiB, MiB, GiB or TiB, such as 24MiB")
    return int(Decimal(match["number"]) * _FACTORS[match["unit"].lower()])


def format_size(size_bytes: float) -> str:
    """For people: 1536 --> 1.5 KiB, 1048576 --> 1 MiB."""
    unit = "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size_bytes < 1024:
            break
        size_bytes, unit = size_bytes / 1024, larger
    return f"{size_bytes:.1f}".removesuffix(".0") + f" {unit}"
