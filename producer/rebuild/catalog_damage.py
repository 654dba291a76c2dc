"""What of the trees of known snapshots the catalog has lost, or has damaged: it comes from the devices again."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

from producer.catalog.catalog import Catalog
from producer.listing.frames import decompress_lines
from producer.rebuild.lost_parts import lack_all
from tasks.errors import DamagedError


def drop_damaged_parts(catalog: Catalog) -> int:
    """Forget the tree parts that are not what their digests say; returns how many there were."""
    damaged = [digest for digest, data in catalog.trees.all_data() if not _is_sound(digest, data)]
    catalog.trees.drop(damaged)
    return len(damaged)


def without_list(catalog: Catalog, snapshot_ids: Iterable[str]) -> set[str]:
    """Those of the sealed snapshots of which the catalog does not have the whole list of parts."""
    return {snapshot_id for snapshot_id in snapshot_ids if not catalog.trees.are_whole(snapshot_id)}


def give_up_lists(catalog: Catalog, snapshot_ids: Iterable[str]) -> None:
    """Of those among the snapshots that no device has either, nothing is known to be left."""
    for snapshot_id in without_list(catalog, snapshot_ids):
        with catalog.transaction():
            catalog.trees.write_list(snapshot_id, [])
            catalog.snapshots.set_partial(snapshot_id, 0, catalog.snapshots.get(snapshot_id).lacks)
            lack_all(catalog, snapshot_id)


def _is_sound(digest: bytes, data: bytes) -> bool:
    try:
        return blake3(b"\n".join([*decompress_lines(data), b""])).digest() == digest
    except DamagedError:
        return False
