"""A slow device, for tests and benchmarks of fleets with unequal disks."""

from __future__ import annotations

import time

from workers.devices.base import Bytes, Device, StoredObject, Upload
from workers.devices.wrapped import WrappedDevice, WrappedObject, WrappedUpload

#: The device catches up after a pause of up to this long, like a disk that writes from its cache while the next
#: segment is prepared.  So the rate is an average that the 0.2 s between two segments do not lower.
_MADE_UP_S = 0.5


class Pace:
    """Slows its callers down to ``bytes_per_s``: each waits as long as its bytes would take."""

    def __init__(self, bytes_per_s: int) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_at_s = time.monotonic()

    def take(self, bytes_count: int) -> None:
        now_s = time.monotonic()
        self._free_at_s = max(now_s - _MADE_UP_S, self._free_at_s) + bytes_count / self._bytes_per_s
        time.sleep(max(0.0, self._free_at_s - now_s))


class ThrottledDevice(WrappedDevice):
    """``inner``, limited to ``bytes_per_s`` for reads and writes together."""

    def __init__(self, inner: Device, bytes_per_s: int) -> None:
        super().__init__(inner)
        self._pace = Pace(bytes_per_s)

    def put(self, key: str) -> Upload:
        return _ThrottledUpload(self._inner.put(key), self._pace)

    def open(self, key: str) -> StoredObject | None:
        stored = self._inner.open(key)
        return None if stored is None else _ThrottledObject(stored, self._pace)


class _ThrottledUpload(WrappedUpload):
    def __init__(self, inner: Upload, pace: Pace) -> None:
        super().__init__(inner)
        self._pace = pace

    def write(self, buffer: Bytes) -> None:
        self._pace.take(memoryview(buffer).nbytes)
        self._inner.write(buffer)


class _ThrottledObject(WrappedObject):
    def __init__(self, inner: StoredObject, pace: Pace) -> None:
        super().__init__(inner)
        self._pace = pace

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        data = self._inner.read(offset_bytes, size_bytes)
        self._pace.take(len(data))
        return data
