"""A device on a rotating disk: one reader and one writer at a time, over all workers and threads of this host."""

from __future__ import annotations

from pathlib import Path

from workers.devices.base import Bytes, Device, StoredObject, Upload
from workers.devices.wrapped import WrappedDevice, WrappedObject, WrappedUpload
from workers.disks.turns import Turns, turns_at


class DeviceInTurns(WrappedDevice):
    """``inner``, which is on the disk of ``path``; no different from it where that disk does not rotate."""

    def __init__(self, inner: Device, path: Path) -> None:
        super().__init__(inner)
        self._path = path

    def put(self, key: str) -> Upload:
        # Looked up each time: another file system may be mounted there by now.
        upload, turns = self._inner.put(key), turns_at(self._path, "write")
        return upload if turns is None else _UploadInTurns(upload, turns)

    def open(self, key: str) -> StoredObject | None:
        stored, turns = self._inner.open(key), turns_at(self._path, "read")
        return stored if stored is None or turns is None else _ObjectInTurns(stored, turns)


class _UploadInTurns(WrappedUpload):
    def __init__(self, inner: Upload, turns: Turns) -> None:
        super().__init__(inner)
        self._turns = turns

    def write(self, buffer: Bytes) -> None:
        with self._turns.turn():
            self._inner.write(buffer)

    def commit(self) -> None:
        with self._turns.turn():
            self._inner.commit()


class _ObjectInTurns(WrappedObject):
    def __init__(self, inner: StoredObject, turns: Turns) -> None:
        super().__init__(inner)
        self._turns = turns

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        with self._turns.turn():
            return self._inner.read(offset_bytes, size_bytes)
