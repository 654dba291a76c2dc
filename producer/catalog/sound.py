"""What devices have of segments: objects that nobody found damaged, on devices that are not lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.holders import lacking, ranges_of
from producer.catalog.tables.objects import StoredObject
from producer.listing.places.places import Place
from producer.listing.places.stored_ranges import without


class Held(Struct, frozen=True, kw_only=True):
    """``whole``: the segments of which nothing has been lost; ``partly``: the ranges that are left of others."""

    whole: Collection[str]
    partly: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def has(self, place: Place) -> bool:
        if place.segment_id in self.whole:
            return True
        held = self.partly.get(place.segment_id, ())
        return not without([(place.stream_offset_bytes, place.size_bytes)], held)


def held(catalog: Catalog, segment_ids: Iterable[str]) -> Held:
    """What devices have of these segments, as far as the catalog knows; one that is away keeps what it holds."""
    lost = catalog.devices.lost_ids()

    def is_gone(one: StoredObject) -> bool:
        return one.is_damaged or one.device_id in lost

    index = catalog.objects.of(segment_ids)
    lacking_ids = lacking(index, is_gone)
    partly = {key: ranges_of(one for one in index[key] if not is_gone(one)) for key in lacking_ids}
    return Held(whole=index.keys() - lacking_ids, partly=partly)
