"""A device that discards segments, for benchmarks of everything but the disk."""

from __future__ import annotations

from workers.devices.base import Bytes, Device, StoredObject, Upload
from workers.devices.keys import SEGMENTS_FOLDER
from workers.devices.wrapped import WrappedDevice


class DiscardingDevice(WrappedDevice):
    """``inner`` without its segments; the last one stays in memory, so that a store can read it back."""

    def __init__(self, inner: Device) -> None:
        super().__init__(inner)
        self._last_key = ""
        self._last_data = bytearray()

    def put(self, key: str) -> Upload:
        if not _is_segment(key):
            return super().put(key)
        return _DiscardedUpload(self, key)

    def open(self, key: str) -> StoredObject | None:
        if not _is_segment(key):
            return super().open(key)
        return _DiscardedObject(self._last_data) if key == self._last_key else None

    def delete(self, key: str) -> None:
        if not _is_segment(key):
            super().delete(key)
        elif key == self._last_key:
            self.remember("", bytearray())

    def remember(self, key: str, data: bytearray) -> None:
        self._last_key, self._last_data = key, data


class _DiscardedUpload:
    def __init__(self, device: DiscardingDevice, key: str) -> None:
        self._device = device
        self._key = key
        self._data = bytearray()

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._data = bytearray()

    def write(self, buffer: Bytes) -> None:
        self._data += buffer

    def commit(self) -> None:
        self._device.remember(self._key, self._data)


class _DiscardedObject:
    def __init__(self, data: bytearray) -> None:
        self._data = data
        self.size_bytes = len(data)

    def __enter__(self) -> StoredObject:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        return bytes(self._data[offset_bytes : offset_bytes + size_bytes])


def _is_segment(key: str) -> bool:
    return key.startswith(f"{SEGMENTS_FOLDER}/")
