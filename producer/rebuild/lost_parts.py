"""Tree parts that no pack of a known snapshot has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from producer.catalog.catalog import Catalog
from producer.manifest import decode_pack, snapshot_of_head
from producer.pool.fetching import Fetcher, WantedFile, holding
from tasks.errors import DamagedError


def lost_parts(catalog: Catalog, snapshot_ids: Iterable[str], look_further: Callable[[], None]) -> dict[str, int]:
    """Snapshot → how many parts of its tree the catalog lacks, even after it has looked further."""
    lacking = {snapshot_id for snapshot_id in snapshot_ids if _missing(catalog, snapshot_id)}
    if lacking:
        look_further()
    return {snapshot_id: len(missing) for snapshot_id in sorted(lacking) if (missing := _missing(catalog, snapshot_id))}


def _missing(catalog: Catalog, snapshot_id: str) -> set[bytes]:
    parts = {part.digest for part in catalog.trees.of(snapshot_id).parts}
    missing = catalog.trees.without(parts)
    return missing | catalog.trees.without({one for digest in parts - missing for one in catalog.trees.maps(digest)})


def read_headless_packs(catalog: Catalog, fetcher: Fetcher, names: Mapping[str, frozenset[str]]) -> None:
    """Take in the packs of snapshots that were forgotten, or of which no head is whole: others may need their parts."""
    there = frozenset().union(*names.values())
    heads = {snapshot_of_head(name) for name in there}
    loose = sorted(name for name in there if name.endswith(".part") and name.partition(".")[0] not in heads)

    def take(_name: str, data: bytes) -> None:
        try:
            parts = decode_pack(data)
        except DamagedError:
            return  # A part of another kind, or of a run that was interrupted.
        catalog.trees.add_parts({bytes.fromhex(digest): stored for digest, stored in parts.items()})

    fetcher.whole([WantedFile(name=name, devices=holding(names, name)) for name in loose], take)
