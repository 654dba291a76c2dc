"""Whether snapshots have the copies or the parity that their backups asked for, and what has less."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
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


class _WeakParts(Struct, frozen=True, kw_only=True):
    """``parts``: tree part → those of the segments, which have less, that it needs: a bit for each.

    Parts of which all is protected are left out.  A thousand snapshots share the others, and sets of ids take six times
    as long.
    """

    segment_ids: Sequence[str]
    parts: Mapping[bytes, int]

    def of(self, digests: Iterable[bytes]) -> int:
        """Those that some parts need."""
        found = 0
        for digest in digests:
            found |= self.parts.get(digest, 0)
        return found

    def segments_of(self, digests: Iterable[bytes]) -> set[str]:
        bits = f"{self.of(digests):b}"[::-1]
        return {segment_id for segment_id, bit in zip(self.segment_ids, bits, strict=False) if bit == "1"}


class Protections:
    """Reads the catalog once, for all snapshots.  Belongs to the catalog's thread."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._weak: dict[tuple[int, int], _WeakParts] = {}

    def of(self, snapshot: SnapshotRow) -> Protection | None:
        """None where the backup asked for nothing."""
        if not snapshot.is_to_be_protected:
            return None
        weak = self._weak_parts(snapshot.copies, snapshot.parity)
        count = weak.of(self._parts.get(snapshot.snapshot_id, ())).bit_count() if weak.parts else 0
        return Protection(copies=snapshot.copies, parity=snapshot.parity, unprotected_count=count)

    def by_device(self, snapshots: Iterable[SnapshotRow]) -> dict[str, Unprotected] | None:
        """Device id → what is not protected there of what these snapshots need; None where none is to be protected."""
        wanted = [one for one in snapshots if one.is_to_be_protected]
        if not wanted:
            return None
        # Many snapshots share what is weak: it is united part by part, each once.
        weak = set[str]()
        for asked in {(one.copies, one.parity) for one in wanted}:
            held_parts = (self._parts[one.snapshot_id] for one in wanted if (one.copies, one.parity) == asked)
            weak |= self._weak_parts(*asked).segments_of(frozenset[bytes]().union(*held_parts))
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

    def _weak_parts(self, copies: int, parity: int) -> _WeakParts:
        if (copies, parity) not in self._weak:
            catalog = self._catalog
            below = _below_parity(catalog, parity) if parity else _below_copies(catalog, copies)
            self._weak[copies, parity] = self._needing(sorted(below))
        return self._weak[copies, parity]

    def _needing(self, segment_ids: Sequence[str]) -> _WeakParts:
        """Snapshots share most of their parts, and each is looked into once."""
        if not segment_ids:
            return _WeakParts(segment_ids=(), parts={})
        numbers = {segment_id: number for number, segment_id in enumerate(segment_ids)}
        trees, digests = self._catalog.trees, frozenset[bytes]().union(*self._parts.values())
        trees.look_into(digests)
        needs = ((digest, numbers.keys() & trees.segment_ids(digest)) for digest in digests)
        parts = {digest: _bits(map(numbers.__getitem__, found)) for digest, found in needs if found}
        return _WeakParts(segment_ids=segment_ids, parts=parts)

    @cached_property
    def _parts(self) -> dict[str, frozenset[bytes]]:
        """Of all sealed snapshots."""
        return self._catalog.trees.parts_of_sealed()


def _bits(numbers: Iterable[int]) -> int:
    found = list(numbers)
    bits = bytearray(max(found) // 8 + 1)
    for number in found:
        bits[number // 8] |= 1 << number % 8
    return int.from_bytes(bits, "little")


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
