"""A device, an upload and an object that pass every call on to another one; subclasses override what they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tasks.receipts import DeviceReport
from workers.devices.base import Bytes, Capacity, Device, StoredObject, Swept, Upload
from workers.devices.marker import Marker


class WrappedDevice:
    def __init__(self, inner: Device) -> None:
        self.name = inner.name
        self._inner = inner

    def claim(self, device_id: str) -> Marker:
        return self._inner.claim(device_id)

    def put(self, key: str) -> Upload:
        return self._inner.put(key)

    def open(self, key: str) -> StoredObject | None:
        return self._inner.open(key)

    def list(self, folder: str) -> Iterator[str]:
        return self._inner.list(folder)

    def positions(self, folder: str) -> Iterator[tuple[str, int]]:
        return self._inner.positions(folder)

    def delete(self, key: str) -> None:
        self._inner.delete(key)

    def settle(self, keys: Iterable[str]) -> None:
        self._inner.settle(keys)

    def capacity(self) -> Capacity:
        return self._inner.capacity()

    def probe(self) -> DeviceReport:
        return self._inner.probe()

    def write_marker(self, marker: Marker) -> None:
        self._inner.write_marker(marker)

    def sweep(self) -> Swept:
        return self._inner.sweep()


class WrappedUpload:
    def __init__(self, inner: Upload) -> None:
        self._inner = inner

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._inner.__exit__(*exc_info)

    def write(self, buffer: Bytes) -> None:
        self._inner.write(buffer)

    def commit(self) -> None:
        self._inner.commit()


class WrappedObject:
    def __init__(self, inner: StoredObject) -> None:
        self._inner = inner
        self.size_bytes = inner.size_bytes

    def __enter__(self) -> StoredObject:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._inner.__exit__(*exc_info)

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        return self._inner.read(offset_bytes, size_bytes)
