"""The moment at which new objects take the place of old ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from producer.catalog.catalog import Catalog
from producer.catalog.tables.doomed import DoomedObject
from producer.catalog.tables.objects import StoredObject
from producer.catalog.unused import Unused
from producer.listing.places.stored_ranges import without
from producer.ownership.readers import no_new_readers
from producer.pool.parity.writing import let_go
from producer.retention.pruning.repacking.candidates import busy_segments
from producer.retention.pruning.repacking.selection import Candidate, Repack
from producer.retention.pruning.repacking.shared_parity import Done, settled
from producer.run.session import RunSession


def swap(
    session: RunSession,
    unused: Unused,
    heir: str,
    takers: Collection[str],
    done: Done,
    group_ids: Collection[str],
) -> tuple[list[Repack], bool]:
    """Let the new objects take the place of the old ones, where nobody has come to need more of these meanwhile.

    ``takers``: ids of the devices that have the index of the ``heir``.  A new object counts only on one of these:
    anyone who finds the one there finds the other.  ``group_ids``: of the groups that were formed for it.  In one
    transaction that survives a power cut.  Returns what was swapped, and whether groups of parity went with it.
    """
    catalog, swapped = session.catalog, list[Repack]()
    lost = catalog.devices.lost_ids()
    with no_new_readers(session.holder, purpose="prune"), catalog.durable_transaction():
        unused.look()
        busy = busy_segments(catalog)
        ready = [
            (repack, new)
            for repack, new in done
            if all(one.device_id in takers for one in new) and _may_go(catalog, unused, repack.candidate, busy)
        ]
        going = settled(catalog, ready, done, group_ids, unused.needed.referred)
        for repack, new in ready:
            if repack.candidate.object.object_id in going.objects:
                _swap_objects(catalog, repack.candidate.copies, new)
                _drop_copies(catalog, repack.candidate.object, lost)
                swapped.append(repack)
        let_go(catalog, going.groups)
        catalog.remains.set_holders(heir, takers)
    return swapped, bool(going.groups)


def _may_go(catalog: Catalog, unused: Unused, candidate: Candidate, busy: Collection[str]) -> bool:
    old = candidate.object
    now = catalog.objects.of([old.segment_id]).get(old.segment_id, [])
    there = {one.key for one in now if one.object_id == old.object_id}
    more = without(unused.living_of(old), candidate.living)
    return old.segment_id not in busy and not more and there >= {one.key for one in candidate.copies}


def _swap_objects(catalog: Catalog, old: Sequence[StoredObject], new: Sequence[StoredObject]) -> None:
    """The new objects stand in the index, the old ones are to be deleted by their devices."""
    for one in new:
        catalog.objects.add(one)
    for one in old:
        catalog.objects.remove(one.object_id, one.device_id)
    catalog.doomed.add(
        DoomedObject(device_id=one.device_id, object_id=one.object_id, bytes_stored=one.bytes_stored) for one in old
    )


def _drop_copies(catalog: Catalog, old: StoredObject, lost: Collection[str]) -> None:
    """Nobody misses what lost devices had of it: what is needed is in the new objects."""
    for one in catalog.objects.of([old.segment_id]).get(old.segment_id, []):
        if one.object_id == old.object_id and one.device_id in lost:
            catalog.objects.remove(one.object_id, one.device_id)
