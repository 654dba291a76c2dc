"""What would be lost if a device failed now: whatever the other devices neither hold nor can make from parity."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.catalog.tree import Tree
from producer.listing.entry import EntryBatch
from producer.listing.tree.placed import PlacedBatch
from producer.pool.losses.keepers import Keepers, find_keepers, has_ranges, lost_bytes_of


class AtRisk(Struct, frozen=True, kw_only=True):
    """``files_count`` and ``size_bytes`` are of the newest snapshot of each volume: what its owner would miss first.

    A file counts that would not come back whole; ``size_bytes`` is the part of it that would be missing.
    """

    #: Snapshots that would not restore whole any more.
    snapshots_count: int = 0
    files_count: int = 0
    size_bytes: int = 0


def at_risk_of(catalog: Catalog, snapshot_id: str) -> dict[str, AtRisk]:
    """Device id → what of one snapshot would be lost with it, as :meth:`Risks.by_device` counts."""
    tree = catalog.trees.of(snapshot_id)
    index = catalog.objects.of(tree.parts_of_segments)
    several = {key: objects for key, objects in index.items() if len({one.object_id for one in objects}) > 1}
    keepers = find_keepers(catalog, chain.from_iterable(index.values()), several)
    return {
        device_id: AtRisk(snapshots_count=1, files_count=files_count, size_bytes=size_bytes)
        for device_id, (files_count, size_bytes) in files_at_risk(tree, keepers).items()
    }


def files_at_risk(tree: Tree, keepers: Keepers) -> dict[str, tuple[int, int]]:
    """Device id → how many files cannot be read whole without it, and how much of them cannot.

    Of most parts the first line says enough.
    """
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    cut = []
    for part, whole_files in tree.whole_files() if keepers else ():
        if whole_files is None or any(has_ranges(keepers.get(segment_id, {})) for segment_id in whole_files):
            cut.append(part)
            continue
        for segment_id, found in whole_files.items():
            for device_id in keepers.get(segment_id, ()):
                files[device_id] += found.files_count
                sizes[device_id] += found.size_bytes
    for batch in tree.placed(cut):
        for device_id, size_bytes in _of_batch(batch, keepers):
            files[device_id] += 1
            sizes[device_id] += size_bytes
    return {device_id: (count, sizes[device_id]) for device_id, count in files.items()}


def _of_batch(batch: PlacedBatch, keepers: Keepers) -> Iterator[tuple[str, int]]:
    """Of each file: the devices without which some of it is lost, with how much.  Most files lie in one segment."""
    places = batch.places
    owners = [keepers.get(segment_id, {}) for segment_id in places.segment_ids]
    if places.segments and any(owners):
        for at, number in enumerate(places.segments):
            for owner, ranges in owners[number].items() if number >= 0 else ():
                size_bytes = batch.data_bytes_at(at) if batch.data_ranges else batch.sizes_bytes[at]
                lost_bytes = lost_bytes_of(ranges, places.stream_offsets_bytes[at], size_bytes)
                if lost_bytes or ranges is None:
                    yield owner, lost_bytes
    cut = places.pieces.keys() | places.maps.keys()
    for at, name in enumerate(batch.names) if cut else ():
        if name in cut:
            yield from _by_device(batch, at, keepers).items()


def _by_device(batch: EntryBatch | PlacedBatch, at: int, keepers: Keepers) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in batch.places_of(at):
        for device_id, ranges in keepers.get(place.segment_id, {}).items():
            lost_bytes = lost_bytes_of(ranges, place.stream_offset_bytes, place.size_bytes)
            if lost_bytes or ranges is None:
                found[device_id] = found.get(device_id, 0) + lost_bytes
    return found


class Risks:
    """Reads the catalog once, for all devices.  Belongs to the catalog's thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        devices = sorted(device.device_id for device in catalog.devices.all())
        several = catalog.objects.of(catalog.objects.segments_in_several())
        self._keepers = find_keepers(catalog, chain.from_iterable(map(catalog.objects.on_device, devices)), several)

    def by_device(self) -> dict[str, AtRisk]:
        """Device id → what would be lost with it, of the devices without which something is lost."""
        snapshots: defaultdict[str, int] = defaultdict(int)
        files: defaultdict[str, int] = defaultdict(int)
        sizes: defaultdict[str, int] = defaultdict(int)
        for snapshot in self._catalog.snapshots.all():
            tree = self._catalog.trees.of(snapshot.snapshot_id)
            for device_id in self._needed_by(tree):
                snapshots[device_id] += 1
        for _, tree in self._newest():
            for device_id, (files_count, size_bytes) in files_at_risk(tree, self._keepers).items():
                files[device_id] += files_count
                sizes[device_id] += size_bytes
        return {
            device_id: AtRisk(snapshots_count=count, files_count=files[device_id], size_bytes=sizes[device_id])
            for device_id, count in snapshots.items()
        }

    def _needed_by(self, tree: Tree) -> set[str]:
        """The devices without which the snapshot is not whole."""
        found, in_ranges = set[str](), list[str]()
        for segment_id in tree.parts_of_segments:
            of_devices = self._keepers.get(segment_id, {})
            found.update(key for key, ranges in of_devices.items() if ranges is None)
            in_ranges += [segment_id] if has_ranges(of_devices) else []
        for batch, at, _ in tree.files_in(in_ranges) if in_ranges else ():
            found.update(_by_device(batch, at, self._keepers))
        return found

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
        """Snapshot path → how much of the file each device would take with it: device id → bytes."""
        for batch in tree.batches():
            for at, kind in enumerate(batch.kinds):
                by_device = _by_device(batch, at, self._keepers) if kind == "f" else {}
                if by_device:
                    path = batch.path_at(at)
                    yield (f"{batch.source}/{path}" if path else batch.source), by_device
