"""Which objects are repacked, and to which devices.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from producer.catalog.living import Ranges
from producer.catalog.tables.objects import StoredObject
from producer.catalog.unused import unused_bytes
from producer.listing.places.stored_ranges import bytes_in
from producer.pool.copies import CopyTarget, least_filled
from producer.requests import RepackLimits

#: What a new object takes beyond its share: header, trailer, and what compresses less.
_MORE_BYTES = 64 * 1024


class Candidate(Struct, frozen=True, kw_only=True):
    """An object of which some is dead, with all its ``copies``; ``living``: what of its segment it is needed for."""

    copies: tuple[StoredObject, ...]
    living: Ranges
    #: Ids of devices that hold other objects of its segment: copies that were made from the source, or other ranges.
    others_on: frozenset[str] = frozenset()
    #: Whether others share parity with it: then what is needed of it stays on its device, where their groups want it.
    has_parity: bool = False
    #: Why it stays as it is, dead parts and all; "" where it may be repacked.
    why_not: str = ""

    @property
    def object(self) -> StoredObject:
        return self.copies[0]

    @property
    def bytes_stored(self) -> int:
        """Of all copies."""
        return sum(one.bytes_stored for one in self.copies)

    @property
    def bytes_unused(self) -> int:
        """Of all copies."""
        return sum(unused_bytes(one, self.living) for one in self.copies)

    @property
    def dead_share(self) -> float:
        return 1 - bytes_in(self.living) / max(1, self.object.size_bytes)

    @property
    def bytes_to_write(self) -> int:
        """What one copy of the new object will take, or a little less."""
        return self.object.bytes_stored - unused_bytes(self.object, self.living) if self.living else 0


class Selection(Struct, frozen=True, kw_only=True):
    """``bytes_unused``: what is still dead when the ``chosen`` have been repacked."""

    chosen: tuple[Candidate, ...]
    bytes_unused: int


def select(candidates: Iterable[Candidate], *, bytes_stored: int, limits: RepackLimits) -> Selection:
    """The candidates that have the largest dead share, until what stays dead of ``bytes_stored`` is within the limits.

    ``bytes_stored``: of all objects, once those that nothing needs at all have gone.
    """
    ordered = sorted(candidates, key=lambda one: (-one.dead_share, one.object.object_id))
    unused = sum(one.bytes_unused for one in ordered)
    if limits.is_unlimited:
        return Selection(chosen=(), bytes_unused=unused)
    allowed, repacked = limits.allowed_unused_bytes(bytes_stored - unused), 0
    chosen: list[Candidate] = []
    for one in ordered:
        if unused <= allowed:
            break
        is_too_much = limits.max_repack_bytes is not None and repacked + one.bytes_stored > limits.max_repack_bytes
        if one.why_not or is_too_much:
            continue
        chosen.append(one)
        unused -= one.bytes_unused
        repacked += one.bytes_stored
    return Selection(chosen=tuple(chosen), bytes_unused=unused)


class Repack(Struct, frozen=True, kw_only=True):
    """One object to write, on each of the ``targets``; none where nothing of the old one is needed."""

    candidate: Candidate
    targets: tuple[CopyTarget, ...]


def place(
    chosen: Sequence[Candidate],
    targets: Sequence[CopyTarget],
    *,
    sites: Mapping[str, str],
    batch_bytes: int,
    unreachable: Collection[tuple[str, str]] = (),
    repacked_on: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> list[Repack]:
    """As many of the ``chosen`` as the devices have room for, and no more than ``batch_bytes`` in all, in that order.

    Where there is no room, a device that holds the old object takes the new one into its reserve.
    Each goes to the then least-filled devices, as many copies as it has now, no two of them on one device; one that has
    parity goes to where it is now.
    ``unreachable``: ids of a device that holds an object, and of one whose workers cannot read it there.
    ``repacked_on``: segment → ids of devices that have got repacked objects of it.
    """
    placed: list[Repack] = []
    taken = defaultdict[str, set[str]](set, {key: set(ids) for key, ids in repacked_on.items()})
    for one in chosen:
        if batch_bytes <= 0:
            break
        # Another object of the segment may hold the same bytes, so as to survive the loss of this one's device.
        apart = one.others_on | taken[one.object.segment_id]
        if one.has_parity:
            apart = frozenset(target.device_id for target in targets) - {copy.device_id for copy in one.copies}
        allowed = [target for target in targets if target.device_id not in apart]
        repack = _placed(one, allowed, sites, unreachable)
        if repack is not None:
            _unload(one, targets)
            taken[one.object.segment_id].update(target.device_id for target in repack.targets)
            placed.append(repack)
            batch_bytes -= sum(one.bytes_to_write for _ in repack.targets)
    return placed


def _placed(
    one: Candidate, targets: Sequence[CopyTarget], sites: Mapping[str, str], unreachable: Collection[tuple[str, str]]
) -> Repack | None:
    """None where there is not enough room; with targets, their room shrinks by it."""
    taken: list[CopyTarget] = []
    size_bytes = one.bytes_to_write + _MORE_BYTES
    while one.living and len(taken) < len(one.copies):
        held = {target.device_id for target in taken}
        # The others copy what the first one has written.
        origins = [target.device_id for target in taken[:1]] or [copy.device_id for copy in one.copies]
        reached = [target for target in targets if any((key, target.device_id) not in unreachable for key in origins)]
        target = least_filled(reached, size_bytes, held, {sites.get(key, "") for key in held})
        target = target or _in_reserve(one, reached, size_bytes, held)
        if target is None:
            return None
        taken.append(target)
    for target in taken:
        target.room_bytes -= size_bytes
        target.load_bytes += one.bytes_to_write
    return Repack(candidate=one, targets=tuple(taken))


def _in_reserve(
    one: Candidate, targets: Iterable[CopyTarget], size_bytes: int, held: Collection[str]
) -> CopyTarget | None:
    """A device that has the old object: it has more room than before once that is gone."""
    there = {copy.device_id for copy in one.copies}.difference(held)
    fitting = [
        target
        for target in targets
        if target.device_id in there and target.room_bytes + target.spare_bytes >= size_bytes
    ]
    return min(fitting, key=lambda target: target.load_bytes, default=None)


def _unload(one: Candidate, targets: Sequence[CopyTarget]) -> None:
    """What is repacked leaves the devices on which it lies."""
    by_device = {target.device_id: target for target in targets}
    for copy in one.copies:
        if copy.device_id in by_device:
            by_device[copy.device_id].load_bytes -= copy.bytes_stored
