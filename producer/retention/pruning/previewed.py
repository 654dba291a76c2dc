"""What a prune would do, from the catalog and the devices as they are now; changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.needed import Needed
from producer.catalog.tables.doomed import DoomedObject
from producer.catalog.unused import Unused
from producer.pool.copies import CopyTarget
from producer.requests import RepackLimits
from producer.retention.pruning.devices import PrunedDevice
from producer.retention.pruning.foreseen import Foreseen
from producer.retention.pruning.repacking.planned import by_pool, selected, targets_of
from producer.retention.pruning.repacking.selection import Repack, place
from tasks.values import MAX_DEVICE_BYTES


class WouldBe(Struct, kw_only=True):
    """``needed``: at first.  ``doomed``: what goes, with rows of parity and what is repacked.

    ``rows``: of parity, that are written: the id of the device and about how many bytes.
    """

    needed: Needed
    doomed: list[DoomedObject] = field(default_factory=list)
    repacks: list[Repack] = field(default_factory=list)
    rows: list[tuple[str, int]] = field(default_factory=list)
    bytes_unused: int = 0


def would_be(catalog: Catalog, devices: Sequence[PrunedDevice], limits: RepackLimits) -> WouldBe:
    """As if each device had room for all."""
    foreseen, pools = Foreseen(catalog), by_pool(devices)
    found = WouldBe(needed=foreseen.find())

    def targets(of_pool: Sequence[PrunedDevice]) -> list[CopyTarget]:
        gone = Counter[str]()
        for one in foreseen.doomed:
            gone[one.device_id] += one.bytes_stored
        return [
            replace(one, room_bytes=MAX_DEVICE_BYTES, load_bytes=one.load_bytes - gone[one.device_id])
            for one in targets_of(catalog, of_pool)
        ]

    foreseen.decide()
    for of_pool in pools:
        foreseen.regroup(of_pool, targets)
    unused, have_groups_gone = Unused(catalog, foreseen), False
    for of_pool in pools:
        selection = selected(catalog, unused, foreseen.groups, of_pool, limits)
        sites = {device.device_id: device.row.site for device in of_pool}
        placed = place(selection.chosen, targets(of_pool), sites=sites, batch_bytes=MAX_DEVICE_BYTES)
        repacks, groups_went = foreseen.repack(placed, of_pool, targets)
        found.repacks += repacks
        found.bytes_unused += selection.bytes_unused
        have_groups_gone |= groups_went
    foreseen.decide()
    for of_pool in pools if have_groups_gone else ():
        foreseen.regroup(of_pool, targets)
    found.doomed, found.rows = foreseen.doomed, foreseen.rows
    return found
