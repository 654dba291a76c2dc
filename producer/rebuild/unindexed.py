"""Segments of which no index is left: the headers of the objects on the devices say what each holds."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from producer.catalog.tables.objects import StoredObject
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.cleaning import MAX_DESCRIBED, DescribeObjects, ListObjects, ObjectContent
from tasks.orders import Order
from tasks.receipts import Receipt


@dataclass(frozen=True, kw_only=True, slots=True)
class Indexed:
    """What was found of the segments that were wanted.  ``ambiguous``: their objects do not all hold the same."""

    segments_count: int
    objects_count: int
    ambiguous: tuple[str, ...]


def index_by_headers(session: RunSession, device_ids: Mapping[str, str], wanted: Collection[str]) -> Indexed:
    """Record the objects of these segments that lie on the devices and are in no index.

    Reads a header and a trailer of each object that the catalog does not know.  ``device_ids``: by name.
    """
    found: defaultdict[str, list[tuple[str, ObjectContent]]] = defaultdict(list)

    def take(order: Order, receipt: Receipt) -> None:
        for content in receipt.result.contents if receipt.failure is None else ():
            if content.segment_id in wanted:
                found[content.segment_id].append((order.device, content))

    unknown = _unknown(session, device_ids)
    run_wave(session, {name: _orders(session, name, device_ids[name], ids) for name, ids in unknown.items()}, take)
    chosen, ambiguous = list[StoredObject](), list[str]()
    for segment_id, objects in found.items():
        rows, is_ambiguous = choose(objects)
        chosen += [_row(name, device_ids[name], content) for name, content in rows]
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


def _unknown(session: RunSession, device_ids: Mapping[str, str]) -> dict[str, list[str]]:
    """Device → the objects there that the catalog does not know."""
    found: dict[str, set[str]] = {name: set() for name in device_ids}

    def take(order: Order, receipt: Receipt) -> None:
        if receipt.failure is None:
            found[order.device].update(receipt.result.object_ids)

    def orders(name: str) -> Iterator[ListObjects]:
        for digit in range(16):
            fields = _fields(session, name, device_ids[name])
            yield ListObjects(order_id=uuid.uuid4().hex, digit=f"{digit:x}", **fields)

    run_wave(session, {name: orders(name) for name in device_ids}, take)
    known = {name: session.catalog.objects.on_device(device_id) for name, device_id in device_ids.items()}
    return {name: sorted(ids - {row.object_id for row in known[name]}) for name, ids in found.items()}


def _orders(session: RunSession, name: str, device_id: str, ids: Iterable[str]) -> Iterator[DescribeObjects]:
    pending = iter(ids)
    while page := tuple(islice(pending, MAX_DESCRIBED)):
        fields = _fields(session, name, device_id)
        yield DescribeObjects(order_id=uuid.uuid4().hex, object_ids=page, **fields)


def _fields(session: RunSession, name: str, device_id: str) -> dict[str, Any]:
    epochs = {row.device_id: row.epoch for row in session.catalog.devices.all()}
    return session.order_fields(name, device_id=device_id, epoch=epochs.get(device_id, 0))


def _row(name: str, device_id: str, content: ObjectContent) -> StoredObject:
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
