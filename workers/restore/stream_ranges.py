"""Carries out the order to return a range of one segment's stream."""

from __future__ import annotations

import base64
from collections import OrderedDict

from tasks.orders import ReadSegment
from tasks.receipts import ReadResult
from workers.devices.base import Device
from workers.format.reader import SegmentReader
from workers.progress import ByteCounter
from workers.restore.opening import open_object, reader_of
from workers.restore.slices import slices_by_unit

#: Several readers of a mounted snapshot take turns.  A larger unit is kept alone.
_KEPT_BYTES = 128 * 1024 * 1024


class StreamRangeReader:
    """For one thread.  Keeps the last units decoded: dumps and mounts ask for several ranges of each."""

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._kept_bytes = kept_bytes
        #: By object and number, the one that was used last at the end.
        self._units: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def read(self, order: ReadSegment, *, device: Device, progress: ByteCounter) -> ReadResult:
        """The bytes of the range; raises DamagedError when one of them is lost, and DeviceError."""
        with open_object(order.object_id, device) as stored:
            reader = reader_of(stored, order.object_id, order.trailer_digest)
            unit_offsets_bytes = [unit.stream_offset_bytes for unit in reader.units]
            located_bytes = sum(unit.size_bytes for unit in reader.units)
            needed = slices_by_unit(
                [0], [order.stream_offset_bytes], [order.size_bytes], unit_offsets_bytes, located_bytes
            )
            data = b"".join(
                self._decoded(reader, order.object_id, unit)[part.start : part.stop]
                for unit, parts in needed.items()
                for part in parts
            )
        progress.add(len(data))
        return ReadResult(data_base64=base64.b64encode(data).decode("ascii"))

    def _decoded(self, reader: SegmentReader, object_id: str, unit: int) -> bytes:
        place = object_id, unit
        if place not in self._units:
            # Before it is decoded: a unit may have 1 GiB.
            self._make_room(reader.units[unit].size_bytes if unit < len(reader.units) else 0)
            self._units[place] = reader.read_unit(unit)
        self._units.move_to_end(place)
        return self._units[place]

    def _make_room(self, size_bytes: int) -> None:
        while self._units and sum(map(len, self._units.values())) + size_bytes > self._kept_bytes:
            self._units.popitem(last=False)
