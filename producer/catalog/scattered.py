"""Files of the newest snapshots that lie in many small places: a restore reads them slowly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tree import Tree
from producer.listing.places.map_parts import MAX_INLINE_COUNT
from tasks.errors import CatalogError, DamagedError

#: A disk reads this in the time of some ten of its seeks.  Places that are larger on average cost a restore little.
_SMALL_BYTES = 16 * 1024 * 1024


class ScatteredFile(Struct, frozen=True, kw_only=True):
    """``path``: in the snapshot."""

    path: str
    places_count: int
    size_bytes: int


def scattered_files(tree: Tree) -> list[ScatteredFile]:
    """The files in more than 64 places, of less than 16 MiB on average; those in the most places first.

    Reads only the parts of the tree that have such files.
    """
    return sorted(_found(tree), key=lambda one: (-one.places_count, one.path))


def scattered_now(catalog: Catalog) -> Iterator[ScatteredFile]:
    """Those of the newest snapshot of each volume; of a tree that cannot be read, which a check reports, none."""
    for row in catalog.snapshots.newest_sealed_of_each_volume().values():
        with suppress(CatalogError, DamagedError):
            yield from scattered_files(catalog.trees.of(row.snapshot_id))


def _found(tree: Tree) -> Iterator[ScatteredFile]:
    for batch in tree.mapped():
        for place, name in enumerate(batch.names):
            places_count, size_bytes = len(batch.places.pieces.get(name, ())), batch.data_bytes_at(place)
            if places_count > MAX_INLINE_COUNT and size_bytes < places_count * _SMALL_BYTES:
                yield ScatteredFile(
                    path=batch.snapshot_path_at(place), places_count=places_count, size_bytes=size_bytes
                )
