"""Snapshots of which a part of the tree is lost on all devices: what is left of them counts, and the rest is counted.

What the lost parts named comes back without its metadata (:mod:`producer.rebuild.recovered`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import accumulate, chain

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import LackRow, SnapshotRow
from producer.catalog.tables.troubles import TroubleRow
from producer.catalog.tree import PartReference, Tree
from producer.manifest import decode_pack
from producer.pool.manifests.fetching import Fetcher, WantedFile, holding
from tasks.errors import DamagedError


def lost_parts(
    catalog: Catalog, snapshot_ids: Iterable[str], look_further: Callable[[], None]
) -> dict[str, list[PartReference]]:
    """Snapshot → the parts of its tree that the catalog lacks, even after it has looked further."""
    lacking = [snapshot_id for snapshot_id in snapshot_ids if _missing(catalog, snapshot_id)]
    if lacking:
        look_further()
    return {snapshot_id: missing for snapshot_id in lacking if (missing := _missing(catalog, snapshot_id))}


def _missing(catalog: Catalog, snapshot_id: str) -> list[PartReference]:
    """The parts that are not there, or that need a map part that is not."""
    parts = catalog.trees.of(snapshot_id).parts
    missing = catalog.trees.without({part.digest for part in parts})
    maps = {part.digest: catalog.trees.maps(part.digest) for part in parts if part.digest not in missing}
    lost_maps = catalog.trees.without({one for found in maps.values() for one in found})
    missing |= {digest for digest, found in maps.items() if not lost_maps.isdisjoint(found)}
    return [part for part in parts if part.digest in missing]


def keep_what_is_left(
    catalog: Catalog, snapshot_id: str, lost: Collection[PartReference], *, is_list_lost: bool
) -> LackRow:
    """Take the lost parts out of a snapshot, and mark it as incomplete; returns what it lacks.

    ``is_list_lost``: nobody knows which other parts it had.
    """
    tree, row = catalog.trees.of(snapshot_id), catalog.snapshots.get(snapshot_id)
    gone = {part.first_entry for part in lost}
    kept = [part for part in tree.parts if part.first_entry not in gone]
    lack = _lack_of(tree, kept, row, sum(part.entries_count for part in lost))
    troubles = list(_renumbered(catalog.troubles.all(snapshot_id), kept, is_list_lost=is_list_lost))
    with catalog.transaction():
        catalog.trees.write_list(snapshot_id, [(one.digest, one.source, one.entries_count) for one in kept])
        catalog.troubles.clear(snapshot_id, of_walk_only=False)
        catalog.troubles.add(snapshot_id, troubles)
        lacks = [one for one in row.lacks if one.device_id]
        catalog.snapshots.set_partial(snapshot_id, sum(one.entries_count for one in kept), [*lacks, lack])
    return lack


def lack_all(catalog: Catalog, snapshot_id: str) -> None:
    """Mark a snapshot as one of which nothing is known to be left; :func:`keep_what_is_left` says what is."""
    row = catalog.snapshots.get(snapshot_id)
    catalog.snapshots.set_lacks(snapshot_id, [*row.lacks, _lack(row.files_count, row.bytes_source)])


def lacks_all(row: SnapshotRow) -> bool:
    """Whether it was marked by :func:`lack_all`."""
    return any(not lack.device_id and lack.files_count == row.files_count for lack in row.lacks)


def _lack_of(tree: Tree, kept: Iterable[PartReference], row: SnapshotRow, entries_count: int) -> LackRow:
    """What the snapshot had, less what is left; of no device.  Where only folders and links are lost, these count."""
    files_count, size_bytes = row.files_count, row.bytes_source
    for batch in chain.from_iterable(map(tree.decoded, kept)):
        sizes_bytes = [size for size in batch.stored_sizes_bytes if size >= 0]
        files_count -= len(sizes_bytes)
        size_bytes -= sum(sizes_bytes)
    return _lack(files_count if files_count > 0 else max(entries_count, 1), max(size_bytes, 0))


def _lack(files_count: int, size_bytes: int) -> LackRow:
    return LackRow(
        device_id="",
        device="",
        files_count=files_count,
        size_bytes=size_bytes,
        omitted_files_count=files_count,
        omitted_bytes=size_bytes,
    )


def _renumbered(
    troubles: Iterable[TroubleRow], kept: Iterable[PartReference], *, is_list_lost: bool
) -> Iterator[TroubleRow]:
    """The troubles with the entries' places among those that are left; of others the path alone is known."""
    parts = [] if is_list_lost else list(kept)
    starts = list(accumulate((part.entries_count for part in parts), initial=0))
    firsts = [part.first_entry for part in parts]
    for row in troubles:
        entry = None
        if row.entry_index is not None and (at := bisect_right(firsts, row.entry_index) - 1) >= 0:
            within = row.entry_index - firsts[at]
            entry = starts[at] + within if within < parts[at].entries_count else None
        yield TroubleRow(entry_index=entry, path=row.path, code=row.code, message=row.message)


def read_all_packs(catalog: Catalog, fetcher: Fetcher, names: Mapping[str, frozenset[str]]) -> None:
    """Take in all packs that there are, each from each device, as nothing says which of two is whole.

    Also those of snapshots that were forgotten, or have no whole head: others may need their parts; and of known ones,
    for what the catalog has lost.
    """
    there = frozenset().union(*names.values())
    packs = sorted(name for name in there if name.endswith(".part"))

    def take(_name: str, _device: str, data: bytes) -> None:
        try:
            parts = decode_pack(data)
        except DamagedError:
            return  # A part of another kind, or of a run that was interrupted.
        catalog.trees.add_parts({bytes.fromhex(digest): stored for digest, stored in parts.items()})

    fetcher.copies([WantedFile(name=name, devices=holding(names, name)) for name in packs], take)
