"""Gathers what :mod:`producer.backup.storing.reassign` decides on:
how full the live devices are, what they have to take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from producer.backup.expected_ratio import ratio_so_far
from producer.backup.storing.reassign import reassign
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow
from producer.pool.members import Member
from tasks.errors import DeviceFullError

#: States of segments that their device has still to make room for.
_TO_COME = ("planned", "fed", "failed")


def reassign_rows(
    catalog: Catalog, snapshot_id: str, rows: Sequence[SegmentRow], live: Sequence[Member]
) -> dict[int, str]:
    """Segment number → the live device that takes it, in the rows' order.

    Room is kept for what a device has to store already, and for its reserve; where the segments do not fit so, they go
    to whatever is free now, which is better than to end the run.  Raises DeviceFullError when that does not do either.
    """
    segments = [(row.number, row.size_bytes) for row in rows]
    loads_bytes = {member.name: member.load_bytes for member in live}
    ratio = ratio_so_far(catalog, snapshot_id)
    to_come_bytes: Counter[str] = Counter()
    for total in catalog.totals.by_state(snapshot_id):
        if total.state in _TO_COME:
            to_come_bytes[total.device] += math.ceil(total.bytes_source * ratio)
    rooms_bytes = {member.name: max(0, member.room_bytes - to_come_bytes[member.name]) for member in live}
    try:
        return reassign(segments, loads_bytes, rooms_bytes, ratio)
    except DeviceFullError:
        return reassign(segments, loads_bytes, {member.name: member.free_bytes for member in live}, ratio)
