"""Where the work of a lost device goes: to devices with room, or it waits for one that may come back."""

from __future__ import annotations

from collections.abc import Sequence

from producer.backup.storing.least_filled import least_filled, least_filled_with_room
from producer.backup.storing.state.state import BackupState
from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import SegmentRow


def reroute(catalog: Catalog, state: BackupState, device: str, rows: Sequence[SegmentRow]) -> dict[int, str]:
    """Segment number → the device that is to store it now, in the plan's order.

    What fits nowhere stays on the gone device that holds it.  If none does, it waits for a dead device (``device``, if
    that is dead), which may come back; otherwise the snapshot is sealed as incomplete.  Raises DeviceFullError when no
    device is dead, because a full device does not get room by itself.
    """
    targets = least_filled_with_room(catalog, state, rows)
    if len(targets) == len(rows):
        return targets
    for row in rows:
        if row.number not in targets and row.number in state.displaced:
            state.keep(row.number)
    rest = [row for row in rows if row.number not in state.kept]
    if not state.dead:
        return least_filled(catalog, state, rest)
    names = [member.name for member in state.dead]
    waits_for = device if device in names else names[0]
    targets = least_filled_with_room(catalog, state, rest, beside_reserve=False)
    return {row.number: targets.get(row.number, waits_for) for row in rest}
