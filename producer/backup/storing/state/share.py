"""One device's part of a running backup."""

from __future__ import annotations

from msgspec import Struct


class Share(Struct):
    """One device's part of the backup, in source bytes and segments."""

    #: Assigned to the device, stored or not.
    load_bytes: int = 0
    load_count: int = 0
    #: Of these: stored on the device, by this run or an earlier one.
    stored_bytes: int = 0
    stored_count: int = 0
    #: What this run has stored there, also where that has been replaced since.
    recorded_bytes: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether everything that is assigned to the device is stored."""
        return self.stored_bytes >= self.load_bytes

    def add_load(self, size_bytes: int) -> None:
        self.load_bytes += size_bytes
        self.load_count += 1

    def remove_load(self, size_bytes: int) -> None:
        self.load_bytes -= size_bytes
        self.load_count -= 1

    def add_stored(self, size_bytes: int) -> None:
        self.stored_bytes += size_bytes
        self.stored_count += 1

    def remove_stored(self, size_bytes: int) -> None:
        self.remove_load(size_bytes)
        self.stored_bytes -= size_bytes
        self.stored_count -= 1
