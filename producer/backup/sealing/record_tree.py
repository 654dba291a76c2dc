"""Makes the tree of a snapshot out of its entries and what was read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from producer.backup.sealing.placing import sealed_batches
from producer.backup.sealing.tree_making import TreeMaking
from producer.catalog.catalog import Catalog
from producer.catalog.known_parts import KnownPart
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import PAGE_PARTS, PartReference
from producer.listing import EntryBatch
from producer.listing.parts import decode_part
from producer.listing.reader import Batches
from producer.listing.tree.tree_part import TreePart
from producer.pool.members import Member


def record_tree(
    catalog: Catalog,
    snapshot: SnapshotRow,
    members: Mapping[str, Member],
    known: Sequence[KnownPart] = (),
    differing: Batches | None = None,
) -> None:
    """Make the snapshot's tree, and decide which of its parts go to the devices with it.  Idempotent.

    ``known``: parts of the parent, at their places here, in which the names are as they were.  ``differing``: the
    batches that are not as in the parent, where they are at hand.
    """
    with catalog.transaction():
        catalog.trees.write(snapshot.snapshot_id, _parts(catalog, snapshot, known, differing))
        digests = catalog.trees.of(snapshot.snapshot_id).digests
        live_ids = [member.device_id for member in members.values() if member.is_live]
        there = catalog.trees.brought_to(live_ids, digests)
        catalog.trees.record_pack(snapshot.snapshot_id, dict.fromkeys(set(digests) - there))


def _parts(
    catalog: Catalog, snapshot: SnapshotRow, known: Sequence[KnownPart], differing: Batches | None
) -> Iterator[tuple[int, TreePart | PartReference]]:
    making = TreeMaking([source.name for source in snapshot.sources], known, _loader(catalog, known))
    for batch in sealed_batches(catalog, snapshot, _needed(catalog, snapshot, making, differing)):
        yield from making.add(batch)
    yield from making.flush()


def _needed(
    catalog: Catalog, snapshot: SnapshotRow, making: TreeMaking, differing: Batches | None
) -> Iterator[EntryBatch]:
    """The batches of the listing that the tree is made of; most parts of it are not decoded."""
    listing = catalog.listing
    for number, (first_entry, stop_entry) in enumerate(listing.ranges(snapshot.snapshot_id)):
        if stop_entry <= making.calm_entries and differing is not None:
            yield from differing.batches(first_entry, stop_entry)
        elif making.needs(first_entry, stop_entry):
            for batch in decode_part(listing.part(snapshot.snapshot_id, number).data):
                if making.needs(batch.first_entry, batch.stop_entry):
                    yield batch


def _loader(catalog: Catalog, known: Sequence[KnownPart]) -> Callable[[bytes], bytes]:
    """Reads the parts that are taken over with changes a page at a time: one question costs less than one for each."""
    digests = [one.part.digest for one in known if one.changed]
    places = {digest: place for place, digest in enumerate(digests)}
    page: dict[bytes, bytes] = {}

    def load(digest: bytes) -> bytes:
        if digest not in page and digest in places:
            page.clear()
            page.update(catalog.trees.data_of(digests[places[digest] : places[digest] + PAGE_PARTS]))
        return page.get(digest) or catalog.trees.data(digest)

    return load
