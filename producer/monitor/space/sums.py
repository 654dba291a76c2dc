"""What all snapshots together store, by device and by volume.  Reading it visits every segment: keep it for a while."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.protection import Protection, Protections, Unprotected
from producer.catalog.tables.checks import DeviceCheck


class Protected(Struct, frozen=True, kw_only=True):
    """``of_volumes``: volume → the protection of its newest snapshot, where its backup asked for one.

    ``unprotected``: device id → what has less there than snapshots are to have; None where none is to have anything.
    """

    of_volumes: Mapping[str, Protection] = field(default_factory=dict)
    unprotected: Mapping[str, Unprotected] | None = None


def protected(catalog: Catalog) -> Protected:
    sealed, protections = catalog.snapshots.all(), Protections(catalog)
    newest = {row.volume: row for row in sealed}
    return Protected(
        of_volumes={key: found for key, row in newest.items() if (found := protections.of(row)) is not None},
        unprotected=protections.by_device(sealed),
    )


class Sums(Struct, frozen=True, kw_only=True):
    #: Device id → bytes of its segments.
    on_devices: Mapping[str, int]
    #: Volume → source bytes and stored bytes of its segments.
    of_volumes: Mapping[str, tuple[int, int]]
    protected: Protected = Protected()
    #: Device id → what checks have seen of its objects.
    device_checks: Mapping[str, DeviceCheck] = field(default_factory=dict)


#: Where nobody asks for them.
NO_SUMS = Sums(on_devices={}, of_volumes={})


def sums(catalog: Catalog) -> Sums:
    return Sums(
        protected=protected(catalog),
        on_devices=catalog.totals.stored_on_devices(),
        of_volumes=catalog.totals.stored_of_volumes(),
        device_checks=catalog.checks.by_device(),
    )
