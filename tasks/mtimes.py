"""The modification times of files as the walk saw them: how they travel, and when two times count as equal.

A bundle's order has one time for each file, packed into 11 characters; as a number it would take 20.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from tasks.values import MAX_EXTENTS

_NUMBER_BYTES = 8

#: Base64 of 8 bytes for each file, little-endian, in nanoseconds; "" for no times.
PackedTimes = Annotated[str, Meta(max_length=MAX_EXTENTS * _NUMBER_BYTES * 4 // 3 + 4)]

#: Times before 1677 and after 2262 are packed as these.
_EARLIEST_NS, _LATEST_NS = -(2**63), 2**63 - 1

#: Some file systems and protocols round times down: FAT to 2 s, ext3 and old NFS servers to 1 s, exFAT to 10 ms, others
#: to 1 ms or 1 us, SMB to 100 ns.
_STEPS_NS = (100, 1_000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000)


def pack_times(times_ns: Sequence[int]) -> str:
    """Pack the times into one text."""
    layout = f"<{len(times_ns)}q"
    try:
        packed = struct.pack(layout, *times_ns)
    except struct.error:
        packed = struct.pack(layout, *map(_packable, times_ns))
    return base64.b64encode(packed).decode("ascii")


def unpack_times(text: str) -> tuple[int, ...]:
    """Undo :func:`pack_times`; raises ValueError for any other text."""
    packed = base64.b64decode(text, validate=True)
    if len(packed) % _NUMBER_BYTES:
        raise ValueError("packed times are cut off")
    return struct.unpack(f"<{len(packed) // _NUMBER_BYTES}q", packed)


def is_same_time(one_ns: int, other_ns: int) -> bool:
    """Whether both may be the time of the same file, not written in between.

    Two hosts may see a file through different file systems, so one time may be the other one rounded down.
    """
    early_ns, late_ns = sorted(map(_packable, (one_ns, other_ns)))
    return early_ns == late_ns or any(late_ns // step_ns * step_ns == early_ns for step_ns in _STEPS_NS)


def _packable(time_ns: int) -> int:
    return min(max(time_ns, _EARLIEST_NS), _LATEST_NS)
