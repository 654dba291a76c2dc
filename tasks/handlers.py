"""The port between task bodies and the code that does the work.

Bodies live in :mod:`tasks`, the code in ``workers``; ``tasks`` imports neither side.  The process
that starts installs an implementation before it forks; a process without one cannot run orders.
"""

from __future__ import annotations

from typing import Protocol

from tasks.errors import SegfleetError
from tasks.orders import (
    AdoptDevice,
    DescribeDevice,
    GetManifest,
    PrepareImage,
    PutManifest,
    ReadSegment,
    RestoreEntries,
    RestoreSegment,
    StoreSegment,
    VerifySegments,
)
from tasks.receipts import (
    DeviceReport,
    ManifestResult,
    ReadResult,
    Receipt,
    RestoreResult,
    StoreResult,
    VerifyResult,
)


class DeviceHandlers(Protocol):
    """Carries out orders on the devices of one worker.

    Called from the main thread of the pool's child, one order at a time.  Every method is
    idempotent, and raises a SegfleetError where the order as a whole fails.
    """

    #: Node name, for receipts and logs.
    worker: str

    def describe(self, order: DescribeDevice) -> DeviceReport: ...
    def adopt(self, order: AdoptDevice) -> DeviceReport: ...
    def store(self, order: StoreSegment) -> StoreResult: ...
    def put_manifest(self, order: PutManifest) -> ManifestResult: ...
    def get_manifest(self, order: GetManifest) -> ManifestResult: ...
    def restore_segment(self, order: RestoreSegment) -> RestoreResult: ...
    def restore_entries(self, order: RestoreEntries) -> RestoreResult: ...
    def prepare_image(self, order: PrepareImage) -> RestoreResult: ...
    def read(self, order: ReadSegment) -> ReadResult: ...
    def verify(self, order: VerifySegments) -> VerifyResult: ...

    def deliver(self, receipt: Receipt, queue: str) -> None:
        """Publish a receipt; returns once the broker has it, or raises BrokerError."""


class HandlersNotInstalled(SegfleetError):
    code = "handlers-not-installed"
    hint = "start it with: segfleet worker DEVICE"


_installed: DeviceHandlers | None = None


def install(handlers: DeviceHandlers) -> None:
    """Make ``handlers`` carry out the orders of this process and of the children it forks later."""
    global _installed
    _installed = handlers


def installed() -> DeviceHandlers:
    if _installed is None:
        raise HandlersNotInstalled("this process carries out no orders")
    return _installed
