"""Whether snapshots have the copies or the parity that their backups asked for, and what has less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from functools import cached_property
from itertools import chain
from typing import TypedDict

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.objects import StoredObject
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing.places.stored_ranges import united, without


class ProtectionJson(TypedDict):
    """``unprotected_segments``: those that the snapshot needs and that have fewer copies, or less parity."""

    copies: int
    parity: int
    unprotected_segments: int


class UnprotectedJson(TypedDict):
    """``bytes``: as they are stored."""

    segments: int
    bytes: int


class Protection(Struct, frozen=True, kw_only=True):
    """What a snapshot is to have, and how many of the segments that it needs have less."""

    copies: int
    parity: int
    unprotected_count: int

    @property
    def words(self) -> str:
        """ "copies 2", "parity 1: 3 segments without"."""
        wanted = f"parity {self.parity}" if self.parity else f"copies {self.copies}"
        count = self.unprotected_count
        return f"{wanted}: {count} segment{'' if count == 1 else 's'} without" if count else wanted

    @property
    def fields(self) -> ProtectionJson:
        return {"copies": self.copies, "parity": self.parity, "unprotected_segments": self.unprotected_count}


class Unprotected(Struct, frozen=True, kw_only=True):
    """What a device that counts holds of segments that have less than a snapshot is to have."""

    segments_count: int = 0
    bytes_stored: int = 0

    @property
    def fields(self) -> UnprotectedJson:
        return {"segments": self.segments_count, "bytes": self.bytes_stored}


#: Of a device where everything is protected.
NONE_UNPROTECTED = Unprotected()


class Protections:
    """Reads the catalog once, for all snapshots.  Belongs to the catalog's thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._weak: dict[tuple[int, int], dict[bytes, Set[str]]] = {}

    def of(self, snapshot: SnapshotRow) -> Protection | None:
        """None where the backup asked for nothing."""
        if not snapshot.is_to_be_protected:
            return None
        count = len(self._unprotected(snapshot))
        return Protection(copies=snapshot.copies, parity=snapshot.parity, unprotected_count=count)

    def by_device(self, snapshots: Iterable[SnapshotRow]) -> dict[str, Unprotected] | None:
        """Device id → what is not protected there of what these snapshots need; None where none is to be protected."""
        wanted = [one for one in snapshots if one.is_to_be_protected]
        if not wanted:
            return None
        # Many snapshots share what is weak: it is united part by part, each once.
        weak = set[str]()
        for asked in {(one.copies, one.parity) for one in wanted}:
            of_parts = self._weak_parts(*asked)
            held_parts = (self._parts[one.snapshot_id] for one in wanted if (one.copies, one.parity) == asked)
            weak.update(*(of_parts[digest] for digest in frozenset[bytes]().union(*held_parts) & of_parts.keys()))
        held = defaultdict[str, list[StoredObject]](list)
        there = _there(self._catalog)
        for one in chain.from_iterable(self._catalog.objects.of(weak).values()):
            if one.device_id in there and not one.is_damaged:
                held[one.device_id].append(one)
        return {
            device_id: Unprotected(
                segments_count=len({one.segment_id for one in found}),
                bytes_stored=sum(one.bytes_stored for one in found),
            )
            for device_id, found in held.items()
        }

    def _unprotected(self, snapshot: SnapshotRow) -> Set[str]:
        """The segments that the snapshot needs and that have less."""
        weak = self._weak_parts(snapshot.copies, snapshot.parity)
        if not weak:
            return frozenset()
        shared = self._parts.get(snapshot.snapshot_id, frozenset()) & weak.keys()
        return frozenset[str]().union(*(weak[digest] for digest in shared))

    def _weak_parts(self, copies: int, parity: int) -> dict[bytes, Set[str]]:
        """Tree part → those segments that it needs and that have less; parts of which all are protected are left out.

        Snapshots share most of their parts, and each is looked into once.
        """
        if (copies, parity) not in self._weak:
            catalog = self._catalog
            below = _below_parity(catalog, parity) if parity else _below_copies(catalog, copies)
            self._weak[copies, parity] = self._needing(below) if below else {}
        return self._weak[copies, parity]

    def _needing(self, segment_ids: set[str]) -> dict[bytes, Set[str]]:
        trees, digests = self._catalog.trees, frozenset[bytes]().union(*self._parts.values())
        trees.look_into(digests)
        needs = ((digest, segment_ids.intersection(trees.segment_ids(digest))) for digest in digests)
        return {digest: found for digest, found in needs if found}

    @cached_property
    def _parts(self) -> dict[str, frozenset[bytes]]:
        """Of all sealed snapshots."""
        return self._catalog.trees.parts_of_sealed()


def _there(catalog: Catalog) -> Set[str]:
    """The devices that count: those that are away are expected back."""
    return {row.device_id for row in catalog.devices.all() if row.state not in ("dead", "lost")}


def _below_copies(catalog: Catalog, copies: int) -> set[str]:
    few, in_parts = catalog.redundancy.on_few(copies)
    index, there = catalog.objects.of(in_parts), _there(catalog)
    return few | {key for key, objects in index.items() if not _is_on(objects, copies, there)}


def _is_on(objects: Sequence[StoredObject], copies: int, there: Set[str]) -> bool:
    """Whether each object of a segment is on so many devices, be it in parts."""
    sound = [one for one in objects if one.device_id in there and not one.is_damaged]
    ranges = defaultdict[str, list[tuple[int, int]]](list)
    for one in sound:
        ranges[one.device_id] += one.ranges
    held = [united(found) for found in ranges.values()]
    return all(sum(not without(one.ranges, found) for found in held) >= copies for one in sound)


def _below_parity(catalog: Catalog, parity: int) -> set[str]:
    """A group counts if it gives everything without any ``parity`` further devices."""
    objects, there = catalog.redundancy.objects(), _there(catalog)
    sound = {one.object_id for one in objects if one.is_sound}
    strong: set[str] = set()
    for group in catalog.parity.groups():
        members = {member.object_id for member in group.members}
        rows_count = sum(row.digest is not None and row.device_id in there for row in group.rows)
        if rows_count - len(members - sound) >= parity:
            strong |= members
    weak = {one.segment_id for one in objects if one.is_sound and one.object_id not in strong}
    held = {one.segment_id for one in objects if one.is_sound or one.object_id in strong}
    return weak | {one.segment_id for one in objects} - held
