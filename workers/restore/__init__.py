"""From segments on a device to files in a target.

::

    choose the extents whose files are not kept     (overwrite)
    which slices of which units hold them           (slices)
    decode those units, several at a time           (segment)
    write the slices, in stream order               (extents)
"""

from __future__ import annotations

from workers.restore.entries import restore_entries
from workers.restore.read import RangeReader
from workers.restore.segment import Progress, restore_segment

__all__ = ["Progress", "RangeReader", "restore_entries", "restore_segment"]
