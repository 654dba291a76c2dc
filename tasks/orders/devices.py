"""Orders about a device as a whole."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from tasks.orders.order import Order
from tasks.values import HexId


class DescribeDevice(Order, frozen=True, kw_only=True):
    """Report what is at the device: its marker and capacity, and whether it can be written."""


class AdoptDevice(Order, frozen=True, kw_only=True):
    """Write the marker into an empty device, which joins the pool.  A repeat changes nothing."""

    pool_id: HexId
    new_device_id: HexId
    #: Who alone may delete on the device; "": nobody.
    catalog_id: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?$")] = ""
