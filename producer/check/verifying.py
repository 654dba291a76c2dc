"""Has the devices look at their stored objects, all devices at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice

from producer.catalog.tables.objects import StoredObject
from producer.check.choosing import on_disk_order
from producer.check.losses import Damage, damage_of
from producer.observer import Progress
from producer.requests import CheckRequest
from producer.run.session import RunSession
from producer.run.wave import run_wave
from tasks.orders import Order, VerifySegments
from tasks.orders.cleaning import ListObjects
from tasks.receipts import Receipt

#: Objects in one order.  Structure takes a worker a millisecond an object; data is read at disk speed, and the
#: progress moves with each receipt.
_STRUCTURE_COUNT = 64
_DATA_COUNT = 1


class Verifier:
    """``present``: device id → name."""

    def __init__(self, session: RunSession, request: CheckRequest, present: Mapping[str, str]) -> None:
        self._session = session
        self._request = request
        self._present = present
        self._ids = {name: device_id for device_id, name in present.items()}
        self._objects: dict[tuple[str, str], StoredObject] = {}
        self._bytes_total = 0
        self.segments_count = self.bytes_read = 0
        #: What was found wrong.
        self.damages: list[Damage] = []

    def verify(self, rows: Iterable[StoredObject]) -> dict[str, str]:
        """Look at those of the objects whose devices are there; returns the devices that died → why."""
        self._objects = {row.key: row for row in rows if row.device_id in self._present}
        self._bytes_total = sum(row.bytes_stored for row in self._objects.values())
        by_device: dict[str, list[StoredObject]] = {}
        for row in self._objects.values():
            by_device.setdefault(self._present[row.device_id], []).append(row)
        if self._request.read_data:
            positions = self._positions(by_device)
            by_device = {device: on_disk_order(found, positions[device]) for device, found in by_device.items()}
        orders = {device: self._orders(device, found) for device, found in by_device.items()}
        return run_wave(self._session, orders, self._take)

    def _positions(self, devices: Iterable[str]) -> dict[str, dict[str, int]]:
        """Device → object → where it lies; empty for a device that does not answer: any order will do."""
        found: dict[str, dict[str, int]] = {device: {} for device in devices}

        def take(order: Order, receipt: Receipt) -> None:
            if receipt.failure is None:
                result = receipt.result
                found[order.device].update(zip(result.object_ids, result.positions, strict=True))

        def orders(device: str) -> Iterator[ListObjects]:
            for digit in range(16):
                fields = self._session.order_fields(device, device_id=self._ids[device])
                yield ListObjects(order_id=uuid.uuid4().hex, digit=f"{digit:x}", with_positions=True, **fields)

        run_wave(self._session, {device: orders(device) for device in found}, take)
        return found

    def _orders(self, device: str, rows: Iterable[StoredObject]) -> Iterator[VerifySegments]:
        count = _DATA_COUNT if self._request.read_data else _STRUCTURE_COUNT
        pending = iter(rows)
        while batch := list(islice(pending, count)):
            yield VerifySegments(
                order_id=uuid.uuid4().hex,
                object_ids=tuple(row.object_id for row in batch),
                stored_bytes=tuple(row.bytes_stored for row in batch),
                trailer_digests=tuple(row.proof for row in batch),
                read_data=self._request.read_data,
                limit_bytes_per_s=self._request.limit_bytes_per_s or 0,
                **self._session.order_fields(device, device_id=self._ids[device]),
            )

    def _take(self, order: Order, receipt: Receipt) -> None:
        assert isinstance(order, VerifySegments)
        rows = {object_id: self._objects[object_id, order.device_id] for object_id in order.object_ids}
        if receipt.failure is not None:
            failure = receipt.failure
            self.damages += (damage_of(row, failure.code, failure.message) for row in rows.values())
            return
        self.segments_count += receipt.result.segments_count
        # Bytes beyond the stored size can only have been appended by somebody else.
        self.bytes_read += min(receipt.result.bytes_read, sum(order.stored_bytes))
        findings = receipt.result.findings
        damages = [damage_of(rows[one.object_id], one.code, one.message, one.ranges) for one in findings]
        self.damages += damages
        self._remember(order, rows, {damage.row.object_id: damage.ranges for damage in damages})
        self._session.observer.progress(
            Progress(phase="checking", bytes_total=self._bytes_total, bytes_done=self.bytes_read)
        )

    def _remember(
        self,
        order: VerifySegments,
        rows: Mapping[str, StoredObject],
        damaged: Mapping[str, tuple[tuple[int, int], ...]],
    ) -> None:
        """The next backup heals what is damaged or missing, and the next check need not look again.

        Only reading all of an object proves that it is sound.  If the catalog cannot be written now, the next check
        records it.
        """
        catalog = self._session.catalog
        if catalog.why_read_only:
            return
        with catalog.transaction():
            for object_id, row in rows.items():
                ranges = damaged.get(object_id)
                if ranges is not None:
                    catalog.objects.mark(*row.key, is_damaged=True, ranges=ranges)
                elif row.is_damaged and order.read_data:
                    catalog.objects.mark(*row.key, is_damaged=False)
            catalog.objects.record_look(order.device_id, rows, datetime.now(UTC), read_data=order.read_data)
