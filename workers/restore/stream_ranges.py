"""Carries out the order to return a range of one segment's stream."""

from __future__ import annotations

import base64

from tasks.orders import ReadSegment
from tasks.receipts import ReadResult
from workers.devices.base import Device
from workers.format.reader import SegmentReader
from workers.progress import ByteCounter
from workers.restore.opening import open_segment, reader_of
from workers.restore.slices import slices_by_unit


class StreamRangeReader:
    """For one thread.  Keeps the last unit decoded: a dump asks for several ranges of each, one after the other."""

    def __init__(self) -> None:
        self._place = ("", 0)
        self._unit = b""

    def read(self, order: ReadSegment, *, device: Device, progress: ByteCounter) -> ReadResult:
        """The bytes of the range; raises DamagedError when one of them is lost, and DeviceError."""
        with open_segment(order.segment_id, device) as stored:
            reader = reader_of(stored, order.segment_id, order.trailer_digest)
            unit_offsets_bytes = [unit.stream_offset_bytes for unit in reader.units]
            located_bytes = sum(unit.size_bytes for unit in reader.units)
            needed = slices_by_unit(
                [0], [order.stream_offset_bytes], [order.size_bytes], unit_offsets_bytes, located_bytes
            )
            data = b"".join(
                self._decoded(reader, order.segment_id, unit)[part.start : part.stop]
                for unit, parts in needed.items()
                for part in parts
            )
        progress.add(len(data))
        return ReadResult(data_base64=base64.b64encode(data).decode("ascii"))

    def _decoded(self, reader: SegmentReader, segment_id: str, unit: int) -> bytes:
        if self._place != (segment_id, unit):
            # Drop the last one first: a unit may have 1 GiB.
            self._place, self._unit = ("", 0), b""
            self._unit = reader.read_unit(unit)
            self._place = (segment_id, unit)
        return self._unit
