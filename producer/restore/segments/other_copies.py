"""Orders of a restore that failed, or a part of them, given to another device that has a copy."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from producer.catalog.tables.objects import Objects, StoredObject
from producer.pool.parity.group_reads import GroupReads
from tasks.orders import RestoreSegment


class OtherCopies:
    """Belongs to the catalog's thread."""

    def __init__(self, objects: Objects, groups: GroupReads) -> None:
        self._objects = objects
        self._groups = groups
        #: Order → what it reads.
        self._read_from: dict[str, StoredObject] = {}
        #: Object → the devices that failed an order for it.
        self._failed: dict[str, set[str]] = {}
        #: Device → orders for it, in place of failed ones.
        self.waiting: dict[str, list[RestoreSegment]] = {}
        #: The objects that are made by parity.
        self.by_parity: set[str] = set()

    def note(self, order: RestoreSegment, stored: StoredObject) -> None:
        """Remember what an order reads, until :meth:`answered`."""
        self._read_from[order.order_id] = stored

    def answered(self, order: RestoreSegment) -> None:
        self._read_from.pop(order.order_id, None)

    def ask(self, order: RestoreSegment, present: Mapping[str, str], paths: Collection[str] | None = None) -> bool:
        """Have another device do what this order did not, or make it by parity; False when nothing is left.

        ``present``: device id → name, of the devices that are there and live.  ``paths``: those of its files that it
        did not restore; None: all.
        """
        stored = self._read_from.get(order.order_id)
        if stored is None:
            return False
        failed = self._failed.setdefault(stored.object_id, set())
        failed.add(order.device_id)
        for one in self._objects.copies_of(stored):
            if one.device_id in present and one.device_id not in failed:
                again = _only(order, paths)
                again = replace(
                    again, order_id=uuid.uuid4().hex, device=present[one.device_id], device_id=one.device_id
                )
                self._wait(again, one)
                return True
        # What its group has given is the last resort, unless the device that read it has died.
        place = self._groups.place(stored, present) if order.group is None or order.device_id not in present else None
        if place is None:
            return False
        again = replace(_only(order, paths), order_id=uuid.uuid4().hex, unproved=False)
        again = replace(again, device=place.device, device_id=place.device_id, group=place.group)
        self.by_parity.add(stored.object_id)
        self._wait(again, stored)
        return True

    def _wait(self, order: RestoreSegment, stored: StoredObject) -> None:
        self.note(order, stored)
        self.waiting.setdefault(order.device, []).append(order)

    def take_waiting(self) -> dict[str, list[RestoreSegment]]:
        """The orders to send now; they wait no more."""
        waiting, self.waiting = self.waiting, {}
        return waiting


def _only(order: RestoreSegment, paths: Collection[str] | None) -> RestoreSegment:
    """The rows of an order with one of these paths."""
    if paths is None:
        return order
    rows = [place for place, path in enumerate(order.paths) if path in paths]
    sparse = set(order.sparse)
    return replace(
        order,
        paths=tuple(order.paths[place] for place in rows),
        stream_offsets_bytes=tuple(order.stream_offsets_bytes[place] for place in rows),
        offsets_bytes=tuple(order.offsets_bytes[place] for place in rows),
        sizes_bytes=tuple(order.sizes_bytes[place] for place in rows),
        metadata=tuple(order.metadata[place] for place in rows),
        sparse=tuple(number for number, place in enumerate(rows) if place in sparse),
    )
