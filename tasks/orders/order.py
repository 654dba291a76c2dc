"""What all orders have in common."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tasks.values import WIRE_VERSION, Count, DeviceName, HexId

ManagerQueue = Annotated[str, Meta(pattern=r"^manager\.[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[0-9a-f]{1,32})?$")]
Threads = Annotated[int, Meta(ge=1, le=256)]


class Order(Struct, frozen=True, kw_only=True):
    """What all orders have.  ``order_id`` names the work, not the message: a repeat has the same id."""

    run_id: HexId
    order_id: HexId
    device: DeviceName
    #: "" while the device has no id yet (describe, adopt).
    device_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")]
    #: A device's epoch rises when it is declared dead; workers refuse orders of older epochs.
    epoch: Count
    attempt: Annotated[int, Meta(ge=1, le=1000)]
    reply_to: ManagerQueue
    version: Literal[1] = WIRE_VERSION
