"""Files of which no manifest is left come back under snapshots of volumes ``recovered-…``, from headers of objects.

Two kinds of objects have such files: those of a snapshot that the catalog does not know, for its head is lost on all
devices, or its run was interrupted; and those of one that lacks parts of its tree.  What was forgotten stays
forgotten: a tombstone is obeyed.  So is a claim of another catalog, which may be storing that snapshot now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from msgspec import Struct
from msgspec.structs import replace

from producer.catalog.living import LivingRanges, Ranges
from producer.catalog.needed import Needed, NeededFinder
from producer.catalog.tables.objects import StoredObject
from producer.listing.places.stored_ranges import without
from producer.manifest.tombstones import claim_name, claimed_by
from producer.pool.manifests.fetching import Fetcher, WantedFile, holding
from producer.pool.manifests.unknown_snapshots import recovered_id
from producer.rebuild.recovered_snapshot import NamedFiles
from producer.rebuild.stored_unknown import describe
from producer.rebuild.unindexed import choose, row_of
from producer.run.session import RunSession
from tasks.orders.cleaning import ObjectContent


class _Leftover(Struct, frozen=True, kw_only=True):
    """An object with files that no manifest names.  ``living``: the ranges of its segment that one does."""

    device: str
    object_id: str
    living: Ranges = ()
    #: Of one that no index names.
    new: ObjectContent | None = None


class Recovering:
    """``device_ids``: by name; ``names``: device → its files of manifests; ``catalogs``: which this one is, or was."""

    def __init__(
        self,
        session: RunSession,
        device_ids: Mapping[str, str],
        names: Mapping[str, frozenset[str]],
        *,
        buried: Collection[str],
        catalogs: Collection[str],
    ) -> None:
        self._session, self._catalog = session, session.catalog
        self._device_ids = device_ids
        self._names = names
        self._buried = buried
        self._catalogs = catalogs

    def run(self, unknown: Iterable[tuple[str, ObjectContent]], partial: Collection[str]) -> list[str]:
        """Record the snapshots; returns the volumes of those that are new.

        ``unknown``: (device, object) that no index names.  ``partial``: the snapshots that lack parts of their trees.
        """
        found = self._of_unknown(unknown)
        found |= {snapshot_id: leftovers for snapshot_id in partial if (leftovers := self._of_partial(snapshot_id))}
        foreign, taken = self._foreign(found), self._catalog.snapshots.states().keys() | set(self._buried)
        wanted = [one for one in sorted(found) if one not in foreign and recovered_id(one) not in taken]
        return [volume for one in wanted if (volume := self._recover(one, found[one]))]

    def _of_unknown(self, unknown: Iterable[tuple[str, ObjectContent]]) -> dict[str, list[_Leftover]]:
        """The objects of snapshots that are neither known nor forgotten; of a segment's tries those that agree."""
        states = self._catalog.snapshots.states()
        by_segment: defaultdict[str, list[tuple[str, ObjectContent]]] = defaultdict(list)
        for device, content in unknown:
            if content.snapshot_id not in states and content.snapshot_id not in self._buried:
                by_segment[content.segment_id].append((device, content))
        known = self._catalog.objects.of(by_segment).keys()
        found: defaultdict[str, list[_Leftover]] = defaultdict(list)
        for segment_id, objects in by_segment.items():
            for device, content in choose(objects)[0]:
                living = self._living_of(segment_id, content.ranges)
                if without(content.ranges, living):
                    new = None if segment_id in known else content
                    one = _Leftover(device=device, object_id=content.object_id, living=living, new=new)
                    found[content.snapshot_id].append(one)
        return dict(found)

    def _of_partial(self, snapshot_id: str) -> list[_Leftover]:
        """What the snapshot has stored, but no tree refers to."""
        names = {device_id: name for name, device_id in self._device_ids.items()}
        rows = [row for row in self._catalog.objects.indexed_by(snapshot_id) if row.device_id in names]
        living = {row.key: self._living_of(row.segment_id, row.ranges) for row in rows}
        return [
            _Leftover(device=names[row.device_id], object_id=row.object_id, living=living[row.key])
            for row in rows
            if without(row.ranges, living[row.key])
        ]

    def _living_of(self, segment_id: str, ranges: Ranges) -> Ranges:
        """What trees name of a segment of which an object has these ranges."""
        needed, living = self._living
        if segment_id not in needed.segment_ids:
            return ()
        found = living.of(segment_id)
        return ranges if found is None else found

    @cached_property
    def _living(self) -> tuple[Needed, LivingRanges]:
        """Reads all trees once, and only where something is left over."""
        needed, living = NeededFinder(self._catalog).find(), LivingRanges(self._catalog)
        living.read(needed)
        return needed, living

    def _foreign(self, snapshot_ids: Iterable[str]) -> set[str]:
        """The snapshots that another catalog has claimed."""
        found: set[str] = set()

        def take(name: str, _device: str, data: bytes) -> None:
            if claimed_by(data) not in ("", *self._catalogs):
                found.add(name.partition(".")[0])

        claims = map(claim_name, sorted(snapshot_ids))
        wanted = [WantedFile(name=name, devices=holding(self._names, name)) for name in claims]
        Fetcher(self._session, self._device_ids).copies(wanted, take)
        return found

    def _recover(self, snapshot_id: str, leftovers: list[_Leftover]) -> str:
        files = self._named(leftovers)
        if not files.count:
            return ""
        row = files.snapshot_row(snapshot_id, self._pool_id())
        with self._catalog.transaction():
            self._catalog.snapshots.add_sealed(row)
            self._catalog.trees.write(row.snapshot_id, files.parts())
            self._catalog.objects.add_new(self._new_rows(row.snapshot_id, leftovers))
        self._session.observer.note(
            f"no manifest is left of {files.count} files of snapshot {snapshot_id[:8]}; what the headers of their "
            f"objects name is in snapshot {row.snapshot_id[:8]} of volume {row.volume}"
        )
        return row.volume

    def _named(self, leftovers: Iterable[_Leftover]) -> NamedFiles:
        """What the headers say, each object's once."""
        files, by_id = NamedFiles(), {one.object_id: one for one in leftovers}

        def take(_device: str, content: ObjectContent) -> None:
            files.add(content, without_ranges=by_id[content.object_id].living)

        object_ids: defaultdict[str, list[str]] = defaultdict(list)
        for one in by_id.values():
            object_ids[one.device].append(one.object_id)
        describe(self._session, self._device_ids, object_ids, take, with_origin=True)
        return files

    def _new_rows(self, snapshot_id: str, leftovers: Iterable[_Leftover]) -> Iterator[StoredObject]:
        for one in leftovers:
            if one.new is not None:
                yield replace(row_of(one.device, self._device_ids[one.device], one.new), snapshot_id=snapshot_id)

    def _pool_id(self) -> str:
        device_id = next(iter(self._device_ids.values()))
        return self._catalog.devices.get(device_id).pool_id
