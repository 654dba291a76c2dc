"""Gathers what forgotten snapshots lend to others into one manifest, so that their own can go.

A forgotten snapshot keeps its manifest on the devices as long as others need a tree part, or a line of the index, that
it brought.  Many of these would fill the devices with what nobody needs.  So all small ones are replaced by one that
is made for that: it has a head and a tombstone, and packs and an index like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.retention.pruning.heir import begin_heir, write_heir
from producer.retention.pruning.meeting import Meeting
from producer.run.session import RunSession

#: So many may lend before they are gathered.
MAX_LENDERS_COUNT = 8
#: What lends more than this stays as it is: writing it again each time would cost more than it saves.
_LARGE_BYTES = 16 * 1024 * 1024


def gather(session: RunSession, meeting: Meeting, lenders: Sequence[SnapshotRow]) -> bool:
    """Put what these forgotten snapshots of one pool lend into one manifest, on all devices of the pool.

    True when they lend nothing any more.  False, and nothing has changed, while they are few, or a device is away or
    does not take the new manifest: what is on the others of it goes with the next prune.
    """
    catalog = session.catalog
    small = [row for row in lenders if catalog.lending.part_bytes(row.snapshot_id) <= _LARGE_BYTES]
    if len(small) <= MAX_LENDERS_COUNT:
        return False
    devices = [device for device in meeting.writable if device.row.pool_id == small[0].pool_id]
    of_pool = {row.device_id for row in catalog.devices.all(small[0].pool_id) if row.state != "lost"}
    if of_pool != {device.device_id for device in devices}:
        return False
    heir = begin_heir(catalog, small[-1])
    rows = [row for lender in small for row in catalog.objects.indexed_by(lender.snapshot_id)]
    digests = {digest for row in small for digest in catalog.trees.packed(row.snapshot_id)}
    if write_heir(catalog, meeting, devices, heir, like=small[-1], digests=digests, rows=rows) != devices:
        return False
    with catalog.durable_transaction():
        catalog.lending.hand_on([row.snapshot_id for row in small], heir)
        catalog.remains.set_holders(heir, [device.device_id for device in devices])
    return True
