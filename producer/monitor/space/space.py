"""Where the space goes: how much each volume and each device holds, how much of it nothing needs, and how it grew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from itertools import chain

from msgspec import Struct, field

from producer.catalog.catalog import Catalog
from producer.catalog.scattered import ScatteredFile, scattered_files
from producer.catalog.tables.devices import DeviceRow
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.unused import Unused


class Held(Struct, kw_only=True):
    """Sums over stored objects.  ``unused``: what no snapshot needs, as prune counts it."""

    bytes_source: int = 0
    bytes_stored: int = 0
    bytes_unused: int = 0

    def add(self, stored: StoredObject, unused_bytes: int) -> None:
        self.bytes_source += stored.size_bytes
        self.bytes_stored += stored.bytes_stored
        self.bytes_unused += unused_bytes

    @property
    def unused_share(self) -> float:
        return self.bytes_unused / self.bytes_stored if self.bytes_stored else 0.0


class GrowthPoint(Struct, frozen=True, kw_only=True):
    """What one backup has stored, and what its volume had stored by then."""

    snapshot_id: str
    started_at: datetime
    bytes_stored: int
    bytes_stored_total: int


class VolumeSpace(Struct, frozen=True, kw_only=True):
    volume: str
    snapshots_count: int
    #: What its snapshots hold, each counted as a whole, and the newest of them alone.
    bytes_source: int
    bytes_newest: int
    held: Held
    #: By the time of the backups, of forgotten ones too as long as anything of them is stored.
    growth: tuple[GrowthPoint, ...]
    #: Of the newest snapshot.
    scattered: tuple[ScatteredFile, ...]

    @property
    def ratio(self) -> float | None:
        """Source bytes for each stored byte; None without any."""
        return self.bytes_source / self.held.bytes_stored if self.held.bytes_stored else None


class DeviceSpace(Struct, frozen=True, kw_only=True):
    row: DeviceRow
    #: Whose manifests it has.
    snapshots_count: int
    held: Held

    @property
    def ratio(self) -> float | None:
        return self.held.bytes_source / self.held.bytes_stored if self.held.bytes_stored else None


class _Sums(Struct, kw_only=True):
    of_volumes: defaultdict[str, Held] = field(default_factory=lambda: defaultdict(Held))
    of_devices: defaultdict[str, Held] = field(default_factory=lambda: defaultdict(Held))
    #: Snapshot → what its backup has stored.
    of_snapshots: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


def space(catalog: Catalog, volume: str | None = None) -> tuple[list[VolumeSpace], list[DeviceSpace]]:
    """Of all volumes, or of one and the part of the devices that it takes.

    Reads the catalog alone, and every tree part in it once.
    """
    sealed = catalog.snapshots.all()
    rows = {
        row.snapshot_id: row for row in [*sealed, *catalog.snapshots.all("open"), *catalog.snapshots.all("forgotten")]
    }
    sums = _summed(catalog, rows, volume)
    named = [row for row in rows.values() if volume in (None, row.volume)]
    kept = [row for row in sealed if volume in (None, row.volume)]
    volumes = [_volume_space(catalog, name, named, kept, sums) for name in sorted({row.volume for row in named})]
    devices = [
        DeviceSpace(
            row=row,
            snapshots_count=sum(row.device_id in snapshot.holders for snapshot in kept),
            held=sums.of_devices[row.device_id],
        )
        for row in sorted(catalog.devices.all(), key=lambda row: row.name)
    ]
    return volumes, [one for one in devices if one.held.bytes_stored or one.snapshots_count]


def _summed(catalog: Catalog, rows: dict[str, SnapshotRow], volume: str | None) -> _Sums:
    sums, unused = _Sums(), Unused(catalog)
    on_devices = (catalog.objects.on_device(device.device_id) for device in catalog.devices.all())
    for stored in chain.from_iterable(on_devices):
        # An object may outlive the row of the snapshot that stored it.
        row = rows.get(stored.snapshot_id)
        if volume is not None and (row is None or row.volume != volume):
            continue
        unused_bytes = unused.bytes_of(stored)
        sums.of_devices[stored.device_id].add(stored, unused_bytes)
        if row is not None:
            sums.of_volumes[row.volume].add(stored, unused_bytes)
            sums.of_snapshots[stored.snapshot_id] += stored.bytes_stored
    return sums


def _volume_space(
    catalog: Catalog, volume: str, rows: Iterable[SnapshotRow], sealed: Iterable[SnapshotRow], sums: _Sums
) -> VolumeSpace:
    own = [row for row in sealed if row.volume == volume]
    newest = own[-1] if own else None
    return VolumeSpace(
        volume=volume,
        snapshots_count=len(own),
        bytes_source=sum(row.bytes_source for row in own),
        bytes_newest=newest.bytes_source if newest is not None else 0,
        held=sums.of_volumes[volume],
        growth=_growth((row for row in rows if row.volume == volume), sums),
        scattered=() if newest is None else tuple(scattered_files(catalog.trees.of(newest.snapshot_id))),
    )


def _growth(rows: Iterable[SnapshotRow], sums: _Sums) -> tuple[GrowthPoint, ...]:
    points, total_bytes = [], 0
    for row in sorted(rows, key=lambda row: row.started_at):
        stored_bytes = sums.of_snapshots.get(row.snapshot_id, 0)
        total_bytes += stored_bytes
        if stored_bytes or row.state == "sealed":
            points.append(
                GrowthPoint(
                    snapshot_id=row.snapshot_id,
                    started_at=row.started_at,
                    bytes_stored=stored_bytes,
                    bytes_stored_total=total_bytes,
                )
            )
    return tuple(points)
