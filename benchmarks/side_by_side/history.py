"""A long history of one tree, made in the catalog: each snapshot has one file in a hundred changed.  Nothing is read.

What a backup records for such a day: the tree parts that the changed files lie in, one segment with their digests, the
object that holds it, the snapshot.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from msgspec.structs import replace

from producer.catalog.catalog import Catalog
from producer.catalog.tables.segments.rows import NewSegment
from producer.catalog.tables.snapshots.rows import NewSnapshot, SnapshotPlan
from producer.catalog.tree import PartReference
from producer.listing.entry import EntryBatch
from producer.listing.places.places import NO_SEGMENT
from producer.listing.places.stored_cells import pack_layout
from producer.listing.tree.tree_part import TreePart, encode_tree_part
from tasks.digests import DIGEST_BYTES
from tasks.values import Extents

#: Of how many files one changes each day.
_EACH = 100


class History:
    """Continues the history of a catalog's last snapshot."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._last = catalog.snapshots.all()[-1]
        tree = catalog.trees.of(self._last.snapshot_id)
        self._parts: list[PartReference | TreePart] = list(tree.parts)
        self._sources = [part.source for part in tree.parts]
        self._batches = [tree.decoded(part) for part in tree.parts]
        self._files = [
            (number, at, place)
            for number, batches in enumerate(self._batches)
            for at, batch in enumerate(batches)
            for place, segment in enumerate(batch.places.segments)
            if segment != NO_SEGMENT
        ]
        self._device = next(device for device in catalog.devices.all())

    def add(self, day: int, *, scattered: bool) -> int:
        """One snapshot more; returns how many bytes its new tree parts have.

        ``scattered``: each hundredth file changes, other ones each day; otherwise as many, one behind the other.
        """
        count = len(self._files) // _EACH
        chosen = slice(day % _EACH, None, _EACH) if scattered else slice(day % _EACH * count, (day % _EACH + 1) * count)
        changed = self._files[chosen]
        snapshot_id, segment_id = uuid.uuid4().hex, uuid.uuid4().hex
        self._change(changed, segment_id, day)
        numbers = sorted({number for number, _, _ in changed})
        made = {number: encode_tree_part(iter(self._batches[number])) for number in numbers}
        for number, part in made.items():
            self._parts[number] = part
        self._record(snapshot_id, segment_id, changed, day)
        return sum(len(part.data) for part in made.values())

    def _change(self, changed: Sequence[tuple[int, int, int]], segment_id: str, day: int) -> None:
        sizes = [self._batches[number][at].sizes_bytes[place] for number, at, place in changed]
        for (number, at, place), offset in zip(changed, accumulate(sizes, initial=0), strict=False):
            batch = self._batches[number][at]
            self._batches[number][at] = _changed(batch, place, segment_id, offset, day)

    def _record(self, snapshot_id: str, segment_id: str, changed: Sequence[tuple[int, int, int]], day: int) -> None:
        catalog, last = self._catalog, self._last
        sizes = tuple(self._batches[number][at].sizes_bytes[place] for number, at, place in changed)
        extents = Extents(paths=("x",) * len(sizes), offsets_bytes=(0,) * len(sizes), sizes_bytes=sizes)
        started_at = last.started_at + timedelta(days=1)
        begun = {name: getattr(last, name) for name in NewSnapshot.__struct_fields__}
        plan = {name: getattr(last, name) for name in SnapshotPlan.__struct_fields__}
        with catalog.transaction():
            new = {"snapshot_id": snapshot_id, "started_at": started_at, "parent_id": last.snapshot_id}
            catalog.snapshots.begin(NewSnapshot(**{**begun, **new}))
            catalog.snapshots.set_plan(snapshot_id, SnapshotPlan(**{**plan, "segments_count": 1}))
            name, size_bytes = self._device.name, sum(sizes)
            catalog.segments.add(snapshot_id, [NewSegment(0, segment_id, name, 0, len(self._files), 0, size_bytes)])
            catalog.transitions.record_stored(
                snapshot_id,
                0,
                device=name,
                device_id=self._device.device_id,
                epoch=0,
                bytes_stored=size_bytes,
                object_id=uuid.uuid4().hex,
                trailer_digest=uuid.uuid4().bytes * 2,
                extent_digests=b"".join(uuid.uuid4().bytes for _ in sizes)[: len(sizes) * DIGEST_BYTES],
                layout=pack_layout(extents),
            )
            catalog.trees.write(snapshot_id, zip(self._sources, self._parts, strict=True))
            catalog.trees.record_pack(snapshot_id, [part.digest for part in self._parts if isinstance(part, TreePart)])
            catalog.snapshots.seal(snapshot_id, datetime.now(UTC), uuid.uuid4().bytes * 2)
        self._last = catalog.snapshots.get(snapshot_id)
        self._parts = list(catalog.trees.of(snapshot_id).parts)


def _changed(batch: EntryBatch, place: int, segment_id: str, offset_bytes: int, day: int) -> EntryBatch:
    segment_ids = [*batch.places.segment_ids]
    if segment_id not in segment_ids:
        segment_ids.append(segment_id)
    places = replace(
        batch.places,
        segment_ids=segment_ids,
        segments=_with(batch.places.segments, place, segment_ids.index(segment_id)),
        stream_offsets_bytes=_with(batch.places.stream_offsets_bytes, place, offset_bytes),
    )
    day_ns = day * 86_400_000_000_000
    return replace(
        batch,
        mtimes_ns=_with(batch.mtimes_ns, place, batch.mtimes_ns[place] + day_ns),
        ctimes_ns=_with(batch.ctimes_ns, place, batch.ctimes_ns[place] + day_ns),
        places=places,
    )


def _with(values: Sequence[int], place: int, value: int) -> list[int]:
    return [*values[:place], value, *values[place + 1 :]]
