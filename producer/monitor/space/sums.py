"""What all snapshots together store, by device and by volume.  Reading it visits every segment: keep it for a while."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.tables.checks import DeviceCheck


class Sums(Struct, frozen=True, kw_only=True):
    #: Device id → bytes of its segments.
    on_devices: Mapping[str, int]
    #: Volume → source bytes and stored bytes of its segments.
    of_volumes: Mapping[str, tuple[int, int]]
    #: Device id → what checks have seen of its objects.
    device_checks: Mapping[str, DeviceCheck] = field(default_factory=dict)


#: Where nobody asks for them.
NO_SUMS = Sums(on_devices={}, of_volumes={})


def sums(catalog: Catalog) -> Sums:
    return Sums(
        on_devices=catalog.totals.stored_on_devices(),
        of_volumes=catalog.totals.stored_of_volumes(),
        device_checks=catalog.checks.by_device(),
    )
