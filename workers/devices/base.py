"""The protocol that every device adapter implements, and what it promises.

Keys are relative paths: ``segments/ab/<id>.seg``, ``manifests/<name>`` (:mod:`workers.devices.keys`).
``tests/conformance`` holds the promises as tests that run on every adapter.

Unless said otherwise, methods may be called from any thread, but only one at a time.  They raise DeviceError on
trouble; DeviceFullError when there is no room; NotADeviceError when what is there is not (or no longer) the
device.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from msgspec import Struct

from tasks.receipts import DeviceReport
from workers.devices.marker import Marker

Bytes = bytes | bytearray | memoryview


class Capacity(Struct, frozen=True, kw_only=True):
    """``free_bytes``: what this user may still write."""

    capacity_bytes: int
    free_bytes: int


class Swept(Struct, frozen=True, kw_only=True):
    """What a sweep has removed, and what it could not: "" or a line for people, with the first file and why."""

    removed_count: int
    left: str = ""


class Upload(Protocol):
    """An object on its way to the device.  Leaving it as a context manager without ``commit`` undoes it."""

    def __enter__(self) -> Upload: ...

    def __exit__(self, *exc_info: object) -> None:
        """Removes what was written, unless it is committed.  Raises nothing."""

    def write(self, buffer: Bytes) -> None:
        """Append all of ``buffer``, which the caller may reuse afterwards."""

    def commit(self) -> None:
        """Make the object durable, then visible under its key, replacing what was there; at most once.

        When it returns, the object survives a power cut, and the device was checked after the object had become
        visible.
        """


class StoredObject(Protocol):
    """A committed object, open for reading.  ``read`` may be called by several threads at once."""

    size_bytes: int

    def __enter__(self) -> StoredObject: ...
    def __exit__(self, *exc_info: object) -> None: ...

    def read(self, offset_bytes: int, size_bytes: int) -> bytes:
        """Bytes at ``offset_bytes``; fewer than ``size_bytes`` only at the object's end.

        Raises UnreadableError (:mod:`workers.devices.trouble`) where the disk cannot read them.
        """


class Device(Protocol):
    """A place that keeps segments."""

    name: str

    def claim(self, device_id: str) -> Marker:
        """Check that the device with this id is here; afterwards ``put`` and ``open`` accept no other.

        Raises NotADeviceError when the marker is missing, unreadable, newer, or another device's.
        """

    def put(self, key: str) -> Upload:
        """Begin to store an object.  Creates nothing where the marker is missing."""

    def open(self, key: str) -> StoredObject | None:
        """Open an object; None when the device has none under ``key``.

        Raises UnreadableError when this object cannot be opened though the device is there.
        """

    def list(self, folder: str) -> Iterator[str]:
        """Keys of all committed objects below ``folder``, sorted."""

    def positions(self, folder: str) -> Iterator[tuple[str, int]]:
        """As :meth:`list`, each key with a number: to read in the order of the numbers takes the fewest seeks."""

    def delete(self, key: str) -> None:
        """Remove an object; a missing object is no error.  It stays away, after a power cut too, after ``settle``."""

    def settle(self, keys: Iterable[str]) -> None:
        """Make the removal of these objects durable, of all together."""

    def capacity(self) -> Capacity: ...

    def probe(self) -> DeviceReport:
        """Report what is here, after a test write.  Raises nothing: every finding is in the report."""

    def write_marker(self, marker: Marker) -> None:
        """Turn an empty place into a device.  Of several callers at once the first wins; the others change nothing."""

    def sweep(self) -> Swept:
        """Remove files that dead workers left half-written, none of a living worker.

        Files that cannot be removed stay; the log names all of them.
        """
