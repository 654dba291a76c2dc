"""What stores ranges of a segment again, under its old address: the order, and what the catalog learns from its answer.

One mechanism for what backups heal, what repairs heal, and copies that are made from the sources.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.segments.rows import SegmentRow
from producer.listing.extents import SegmentContents
from producer.listing.places.stored_ranges import without
from producer.pool.members import Member
from producer.pool.storing.ids import object_id
from producer.pool.storing.known_digests import KnownDigests
from producer.pool.storing.store_orders import StoreOrders
from tasks.digests import NO_DIGEST
from tasks.orders import StoreSegment
from tasks.ranges import joined
from tasks.receipts import Receipt, StoreResult


def provable(known: KnownDigests, contents: SegmentContents) -> list[int]:
    """The indexes of the extents of which a digest is known: nothing else can prove that they are still the same."""
    return [index for index, former in enumerate(contents.former) if known.digest(former) != NO_DIGEST]


def order_again(
    orders: StoreOrders, snapshot_id: str, segment_id: str, contents: SegmentContents, member: Member, purpose: str
) -> StoreSegment:
    """The order of a wave, of which the catalog has no row: to store these extents, each with a known digest, again.

    ``purpose`` keeps its object apart from those of other tries of the segment on the same device.
    """
    row = _row(snapshot_id, segment_id, contents, member)
    again_id = object_id(snapshot_id, f"{purpose} of {segment_id} from {row.first_entry}", member, row.attempt)
    return replace(orders.order(row, contents, member), object_id=again_id)


def _row(snapshot_id: str, segment_id: str, contents: SegmentContents, member: Member) -> SegmentRow:
    return SegmentRow(
        snapshot_id=snapshot_id,
        number=0,
        row_id=uuid.uuid4().hex,
        segment_id=segment_id,
        device=member.name,
        device_id=None,
        first_entry=min(contents.entries),
        stop_entry=max(contents.entries) + 1,
        offset_bytes=0,
        size_bytes=contents.extents.total_bytes,
        state="planned",
        attempt=1,
        epoch=member.epoch,
        bytes_stored=0,
        notes=[],
        file_state=None,
        timing=None,
        rerouted_count=0,
        fed_at=None,
        last_error="",
        heals=True,
    )


def stored_again(catalog: Catalog, order: StoreSegment, receipt: Receipt) -> StoredObject | None:
    """The object that an order has stored of a segment of which the ranges are known; None when all have changed."""
    result: StoreResult = receipt.result
    left_out = frozenset(result.unchanged)
    places = [place for place in range(len(order.extents)) if place not in left_out]
    if not places:
        return None
    ranges = joined((order.stream_offsets_bytes[place], order.extents.sizes_bytes[place]) for place in places)
    others = catalog.objects.of([order.segment_id]).get(order.segment_id, [])
    return StoredObject(
        object_id=order.object_id,
        segment_id=order.segment_id,
        device_id=receipt.device_id,
        device=receipt.device,
        snapshot_id=order.snapshot_id,
        size_bytes=result.bytes_source,
        bytes_stored=result.bytes_stored,
        trailer_digest=bytes.fromhex(result.trailer_digest),
        parts=None if any(one.is_whole and one.ranges == ranges for one in others) else ranges,
    )


def forget_damaged(catalog: Catalog, healed: StoredObject) -> None:
    """Forget damaged objects whose content is on a device again, so that nothing reads them."""
    for one in catalog.objects.of([healed.segment_id])[healed.segment_id]:
        if one.is_damaged and not without(one.ranges, healed.ranges):
            catalog.objects.remove(*one.key)


def entries_changed(entries: Sequence[int], receipt: Receipt) -> set[int]:
    """Of the files whose extents an order named: those that no longer have what it was to store."""
    return {entries[place] for place in receipt.result.unchanged}
