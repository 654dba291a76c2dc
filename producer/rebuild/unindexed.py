"""Segments of which no index is left: the headers of the objects on the devices say what each holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.rebuild.troubles import Troubles
from producer.run.session import RunSession
from tasks.orders.cleaning import ObjectContent


class Indexed(Struct, frozen=True, kw_only=True):
    """What was found of the segments that were wanted.  ``ambiguous``: their objects do not all hold the same."""

    segments_count: int
    objects_count: int
    ambiguous: tuple[str, ...]


def find_unindexed(
    session: RunSession,
    device_ids: Mapping[str, str],
    ids: Collection[str],
    unknown: Iterable[tuple[str, ObjectContent]],
    troubles: Troubles,
) -> int:
    """Record what no index has, because its parts are damaged everywhere; returns how many objects were found.

    ``ids``: of the snapshots.  Those that need segments which no index has even then are named.
    """
    missing = set().union(*_unindexed(session.catalog, ids).values())
    if not missing:
        return 0
    found = index_by_headers(session, device_ids, missing, unknown)
    session.observer.note(
        f"{len(missing)} segments are in no index that could be read; the headers of the objects on the "
        f"devices say where {found.segments_count} of them are"
    )
    for segment_id in found.ambiguous:
        troubles.manifest(f"the objects of segment {segment_id[:8]} differ, and no index says which counts")
    for snapshot_id, needed in _unindexed(session.catalog, ids).items():
        if needed:
            count = len(needed)
            troubles.manifest(f"snapshot {snapshot_id[:8]} needs {count} segments that no index names", snapshot_id)
    return found.objects_count


def _unindexed(catalog: Catalog, ids: Iterable[str]) -> dict[str, set[str]]:
    """Snapshot → the segments that it needs and that no index has."""
    found: dict[str, set[str]] = {}
    for snapshot_id in ids:
        needed = catalog.trees.of(snapshot_id).parts_of_segments.keys()
        found[snapshot_id] = needed - catalog.objects.of(needed).keys()
    return found


def index_by_headers(
    session: RunSession,
    device_ids: Mapping[str, str],
    wanted: Collection[str],
    unknown: Iterable[tuple[str, ObjectContent]],
) -> Indexed:
    """Record the objects of these segments that lie on the devices and are in no index.

    ``device_ids``: by name.  ``unknown``: (device, object) that no index names.
    """
    found: defaultdict[str, list[tuple[str, ObjectContent]]] = defaultdict(list)
    for device, content in unknown:
        if content.segment_id in wanted:
            found[content.segment_id].append((device, content))
    chosen, ambiguous = list[StoredObject](), list[str]()
    for segment_id, objects in found.items():
        rows, is_ambiguous = choose(objects)
        chosen += [row_of(name, device_ids[name], content) for name, content in rows]
        ambiguous += [segment_id] * is_ambiguous
    session.catalog.objects.add_new(chosen)
    return Indexed(segments_count=len(found), objects_count=len(chosen), ambiguous=tuple(sorted(ambiguous)))


def choose(objects: Iterable[tuple[str, ObjectContent]]) -> tuple[list[tuple[str, ObjectContent]], bool]:
    """Of a segment's objects, (device, content), those that hold the same; and whether others hold something else.

    Of ranges that several tries have stored differently, what most devices have counts.
    """
    by_ranges: defaultdict[Any, defaultdict[str, list[tuple[str, ObjectContent]]]]
    by_ranges = defaultdict(lambda: defaultdict(list))
    for one in objects:
        by_ranges[one[1].ranges][one[1].content_digest].append(one)
    chosen: list[tuple[str, ObjectContent]] = []
    for by_content in by_ranges.values():
        chosen += by_content[max(by_content, key=lambda digest: (len(by_content[digest]), digest))]
    return chosen, any(len(by_content) > 1 for by_content in by_ranges.values())


def row_of(name: str, device_id: str, content: ObjectContent) -> StoredObject:
    """The object's line of the index."""
    is_one_range = len(content.ranges) < 2 and all(offset == 0 for offset, _ in content.ranges)
    return StoredObject(
        object_id=content.object_id,
        segment_id=content.segment_id,
        device_id=device_id,
        device=name,
        snapshot_id=content.snapshot_id,
        size_bytes=content.size_bytes,
        bytes_stored=content.bytes_stored,
        trailer_digest=bytes.fromhex(content.trailer_digest),
        parts=None if is_one_range else content.ranges,
    )
