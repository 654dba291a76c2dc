"""Where a stream comes from, and by way of which folder it goes to the workers."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

#: Smaller segments would make millions of a stream that nobody has measured.
MIN_SEGMENT_BYTES = 1024 * 1024

#: What the spool holds by default for each device: what it reads, what comes next, and one that is just stored.
_SEGMENTS_COUNT = 3

#: One is filled while another is stored.
_LEAST_SEGMENTS_COUNT = 2


class Origin(Struct, frozen=True, kw_only=True):
    #: The program whose output is the stream, with its arguments; (): standard input.
    command: tuple[str, ...]
    #: The folder for what is read and not stored yet.
    spool: Path
    #: How much it may hold; None: by segments and devices.
    spool_bytes: int | None

    def room_bytes(self, segment_bytes: int, devices_count: int) -> int:
        """How much the spool may hold: two segments at least."""
        wanted_bytes = self.spool_bytes or _SEGMENTS_COUNT * segment_bytes * devices_count
        return max(wanted_bytes, _LEAST_SEGMENTS_COUNT * segment_bytes)


def segment_bytes_of(asked_bytes: int) -> int:
    """The size of a stream's segments, the last one excepted."""
    return max(asked_bytes, MIN_SEGMENT_BYTES)
