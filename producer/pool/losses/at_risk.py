"""What would be lost if a device failed now: whatever no other device holds too."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tables.trees import Tree
from producer.listing.entry import EntryBatch
from producer.listing.placed import PlacedBatch
from producer.pool.parity.group_reads import GroupReads

#: In the place of another device that has a segment.
_BY_PARITY = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AtRisk:
    """``files_count`` and ``size_bytes`` are of the newest snapshot of each volume: what its owner would miss first.

    A file counts that would not come back whole; ``size_bytes`` is the part of it that lies on the device alone.
    """

    #: Snapshots that would not restore whole any more.
    snapshots_count: int = 0
    files_count: int = 0
    size_bytes: int = 0


def at_risk_of(catalog: Catalog, snapshot_id: str) -> dict[str, AtRisk]:
    """Device id → what of one snapshot would be lost with it, as :meth:`Risks.by_device` counts."""
    tree = catalog.trees.of(snapshot_id)
    there = {device.device_id for device in catalog.devices.all() if device.state != "lost"}
    groups = GroupReads(catalog)
    only_on: dict[str, str] = {}
    for segment_id, rows in catalog.objects.of(tree.parts_of_segments).items():
        whole = [row for row in rows if row.device_id in there and not row.is_damaged]
        devices = {row.device_id for row in whole}
        if len(devices) == 1 and not all(groups.can_read(row, there - devices) for row in whole):
            only_on[segment_id] = devices.pop()
    return {
        device_id: AtRisk(snapshots_count=1, files_count=files_count, size_bytes=size_bytes)
        for device_id, (files_count, size_bytes) in files_at_risk(tree, only_on).items()
    }


def files_at_risk(tree: Tree, only_on: Mapping[str, str]) -> dict[str, tuple[int, int]]:
    """Device id → how many files need what only it has, and how much of them lies there.

    ``only_on``: segment → its only device.
    """
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    if only_on:
        for batch in tree.placed():
            for device_id, size_bytes in _of_batch(batch, only_on):
                files[device_id] += 1
                sizes[device_id] += size_bytes
    return {device_id: (count, sizes[device_id]) for device_id, count in files.items()}


def _of_batch(batch: PlacedBatch, only_on: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Of each file: the devices that alone have some of it, with how much.  Most files lie in one segment."""
    places = batch.places
    owners = [only_on.get(segment_id) for segment_id in places.segment_ids]
    if places.segments and any(owners):
        for at, number in enumerate(places.segments):
            owner = owners[number] if number >= 0 else None
            if owner is not None:
                yield owner, batch.data_bytes_at(at) if batch.data_ranges else batch.sizes_bytes[at]
    cut = places.pieces.keys() | places.maps.keys()
    for at, name in enumerate(batch.names) if cut else ():
        if name in cut:
            yield from _by_device(batch, at, only_on).items()


def _by_device(batch: EntryBatch | PlacedBatch, at: int, only_on: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in batch.places_of(at):
        device_id = only_on.get(place.segment_id)
        if device_id is not None:
            found[device_id] = found.get(device_id, 0) + place.size_bytes
    return found


class Risks:
    """Reads the catalog once, for all devices.  Belongs to the catalog's thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        devices: defaultdict[str, set[str]] = defaultdict(set)
        there = {device.device_id for device in catalog.devices.all() if device.state != "lost"}
        groups = GroupReads(catalog)
        for device_id in sorted(there):
            for row in catalog.objects.on_device(device_id):
                if not row.is_damaged:
                    devices[row.segment_id].add(row.device_id)
                    if groups.can_read(row, there - {device_id}):
                        devices[row.segment_id].add(_BY_PARITY)
        #: Segment → the only device that has it.
        self._only_on = {segment_id: found.pop() for segment_id, found in devices.items() if len(found) == 1}

    def by_device(self) -> dict[str, AtRisk]:
        """Device id → what would be lost with it, of the devices that alone hold something."""
        snapshots: defaultdict[str, int] = defaultdict(int)
        files: defaultdict[str, int] = defaultdict(int)
        sizes: defaultdict[str, int] = defaultdict(int)
        for snapshot in self._catalog.snapshots.all():
            tree = self._catalog.trees.of(snapshot.snapshot_id)
            for device_id in {self._only_on.get(segment_id, "") for segment_id in tree.parts_of_segments}:
                snapshots[device_id] += 1
        for _, tree in self._newest():
            for device_id, (files_count, size_bytes) in files_at_risk(tree, self._only_on).items():
                files[device_id] += files_count
                sizes[device_id] += size_bytes
        snapshots.pop("", None)
        return {
            device_id: AtRisk(snapshots_count=count, files_count=files[device_id], size_bytes=sizes[device_id])
            for device_id, count in snapshots.items()
        }

    def paths_on(self, device_id: str) -> Iterator[tuple[SnapshotRow, str]]:
        """The files of the newest snapshot of each volume that would not come back whole without the device."""
        for snapshot, tree in self._newest():
            for path, by_device in self._files(tree):
                if device_id in by_device:
                    yield snapshot, path

    def _newest(self) -> Iterator[tuple[SnapshotRow, Tree]]:
        newest = self._catalog.snapshots.newest_sealed_of_each_volume()
        for _, snapshot in sorted(newest.items()):
            yield snapshot, self._catalog.trees.of(snapshot.snapshot_id)

    def _files(self, tree: Tree) -> Iterator[tuple[str, dict[str, int]]]:
        """Snapshot path → how much of the file lies on one device alone: device id → bytes."""
        for batch in tree.batches():
            for at, kind in enumerate(batch.kinds):
                by_device = _by_device(batch, at, self._only_on) if kind == "f" else {}
                if by_device:
                    path = batch.path_at(at)
                    yield (f"{batch.source}/{path}" if path else batch.source), by_device
