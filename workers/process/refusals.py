"""Why a worker refuses an order."""

from __future__ import annotations

from tasks.errors import DeviceError, SegfleetError


class NotConfiguredError(SegfleetError):
    """The order names a device, source or target that this worker does not have."""

    code = "not-configured"
    hint = "start the worker with it, or send the order to one that has it"


class DeadlyOrderError(DeviceError):
    """The pool's child died repeatedly over one order: killed for its memory use, or by a fault in a library."""

    code = "deadly"
    hint = "see the worker's log and the kernel's; fewer --threads or a smaller --unit-size take less memory"
