"""How a worker shows that its order makes progress, and where the order's time went."""

from __future__ import annotations

import time
from typing import Protocol

from tasks.receipts import Timing


class ByteCounter(Protocol):
    """Counts the bytes that orders have moved: source bytes stored, bytes restored, stored bytes read."""

    def add(self, bytes_count: int) -> None:
        """Called by one thread at a time."""


class OrderProgress(ByteCounter, Protocol):
    """Counts bytes, and gives signs of life while none move for long."""

    def beat(self) -> None:
        """A step is done that moves no bytes.  Called by one thread at a time, other than the one of ``add``."""


class WorkerProgress(OrderProgress, Protocol):
    """What the worker's lease shows of its child: bytes moved, beats, the order in hand, and the device."""

    def begin(self, order_id: str) -> int:
        """An order begins; returns how often in a row it has begun without an end, 1 if no child died."""

    def end(self) -> None:
        """No order is in hand."""

    def tell_device(self, device_id: str, epoch: int, free_bytes: int) -> None:
        """The device as the order in hand had it, and what is free there now."""


class Stage:
    """Adds up the time spent in its ``with`` blocks; for one thread at a time."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._started_s = 0.0

    def __enter__(self) -> Stage:
        self._started_s = time.perf_counter()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.total_s += time.perf_counter() - self._started_s


class Stages:
    """The stages of storing a segment."""

    def __init__(self) -> None:
        self.read, self.write, self.sync, self.total = Stage(), Stage(), Stage(), Stage()
        self.compress_s = 0.0

    def timing(self) -> Timing:
        return Timing(
            read_s=self.read.total_s,
            compress_s=self.compress_s,
            write_s=self.write.total_s,
            sync_s=self.sync.total_s,
            total_s=self.total.total_s,
        )
