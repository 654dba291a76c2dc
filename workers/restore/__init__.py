"""From segments on a device to files in a target.

::

    choose the extents whose files are not kept     (overwrite)
    which slices of which units hold them           (slices)
    decode those units, several at a time           (segment)
    write the slices, in stream order               (extents)
"""

from __future__ import annotations

from workers.restore.comparing import compare_segment
from workers.restore.entries import restore_entries
from workers.restore.preview import preview_entries
from workers.restore.segment import restore_segment
from workers.restore.stream_ranges import StreamRangeReader
from workers.restore.surplus import find_surplus

__all__ = [
    "StreamRangeReader",
    "compare_segment",
    "find_surplus",
    "preview_entries",
    "restore_entries",
    "restore_segment",
]
