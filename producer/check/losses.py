"""Which files a snapshot has lost, given what is wrong with stored objects.  Pure but for the trees that it reads.

A range is lost when no device that is there has it whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from producer.catalog.tables.objects import StoredObject
from producer.catalog.tree import PartReference, Tree, places_in
from producer.listing.places.stored_ranges import without

#: More than any segment has.
_ANY_BYTES = 2**62


class Damage(Struct, frozen=True, kw_only=True):
    """What is wrong with an object.  ``ranges``: what of its segment's stream it does not have any more."""

    row: StoredObject
    code: str
    message: str
    ranges: tuple[tuple[int, int], ...]


class LostRange(Struct, frozen=True, kw_only=True):
    """A range of a segment's stream that no device has; ``damage`` says of one that had it what is wrong."""

    offset_bytes: int
    size_bytes: int
    damage: Damage


class LostFile(Struct, frozen=True, kw_only=True):
    """The lost part of a file that lay in one object."""

    #: In its source, "" for the source itself.
    path: str
    size_bytes: int
    damage: Damage


def damage_of(row: StoredObject, code: str, message: str, ranges: Iterable[tuple[int, int]] = ()) -> Damage:
    """``ranges``: of the object's own stream; none means all of it."""
    found = tuple(_in_segment(row, ranges)) or row.ranges
    return Damage(row=row, code=code, message=message, ranges=found)


def _in_segment(row: StoredObject, ranges: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
    """Ranges of an object's own stream, as ranges of its segment's, ascending."""
    for offset, size in sorted(ranges):
        before = 0
        for start, length in row.ranges:
            first, last = max(offset, before), min(offset + size, before + length)
            if first < last:
                yield start + first - before, last - first
            before += length


def lost_ranges(
    index: Mapping[str, Iterable[StoredObject]],
    damages: Iterable[Damage],
    present: Collection[str],
    doubtful: Collection[tuple[str, str]] = (),
    made: Collection[tuple[str, str]] = (),
    given_up: Collection[str] = (),
) -> dict[str, list[LostRange]]:
    """Segment → what of it is lost: in damaged objects, and on devices that are not ``present`` (by id).

    ``doubtful``: the keys of objects that cannot replace others, because an earlier check found them damaged.
    ``made``: the keys of damaged or absent objects that parity can replace.  ``given_up``: the devices that will not
    come back (by id), which are named as such.
    """
    damaged = {damage.row.key: damage for damage in damages}
    lost: dict[str, list[LostRange]] = {}
    for segment_id, objects in index.items():
        rows = list(objects) or [_unknown(segment_id)]
        bad = [
            damaged.get(one.key) or _absent(one, given_up)
            for one in rows
            if one.key not in made and (one.key in damaged or one.device_id not in present)
        ]
        if bad and (found := list(_lost_of(rows, bad, doubtful))):
            lost[segment_id] = found
    return lost


def _unknown(segment_id: str) -> StoredObject:
    """Stands for the objects of a segment that no index has."""
    return StoredObject(
        object_id=segment_id,
        segment_id=segment_id,
        device_id="",
        device="",
        snapshot_id="",
        size_bytes=_ANY_BYTES,
        bytes_stored=0,
        trailer_digest=b"",
    )


def _absent(row: StoredObject, given_up: Collection[str]) -> Damage:
    if not row.device_id:
        return damage_of(row, "not-indexed", "no index says where it is")
    return damage_of(
        row, "device-absent", f"its device {row.device} is {'lost' if row.device_id in given_up else 'absent'}"
    )


def _lost_of(
    objects: Iterable[StoredObject], bad: Sequence[Damage], doubtful: Collection[tuple[str, str]]
) -> Iterable[LostRange]:
    by_key = {damage.row.key: damage for damage in bad}
    held: list[tuple[int, int]] = []
    for one in objects:
        if one.key in doubtful:
            continue
        whole = without(one.ranges, by_key[one.key].ranges) if one.key in by_key else one.ranges
        held = sorted([*held, *without(whole, held)])
    for damage in bad:
        for offset, size in without(damage.ranges, held):
            held = sorted([*held, (offset, size)])
            yield LostRange(offset_bytes=offset, size_bytes=size, damage=damage)


class LostFiles:
    """The files that have lost something, by parts of trees: snapshots share these, and each is read once."""

    def __init__(self, lost: Mapping[str, Sequence[LostRange]]) -> None:
        self._lost = lost
        self._counts: dict[bytes, tuple[int, int]] = {}

    def of(self, tree: Tree, on_file: Callable[[str, LostFile], None]) -> tuple[int, int]:
        """How many files of the snapshot are not whole, and the bytes that they lack.

        Calls ``on_file`` with the source's name and the file, for files in parts that no earlier tree had.
        """
        numbers = {n for segment_id in self._lost for n in tree.parts_of_segments.get(segment_id, ())}
        counts = [self._of_part(tree, tree.parts[number], on_file) for number in sorted(numbers)]
        return sum(files for files, _ in counts), sum(size for _, size in counts)

    def _of_part(self, tree: Tree, part: PartReference, on_file: Callable[[str, LostFile], None]) -> tuple[int, int]:
        known = self._counts.get(part.digest)
        if known is None:
            files = self._read(tree, part, on_file)
            known = self._counts[part.digest] = len(files), sum(files.values())
        return known

    def _read(self, tree: Tree, part: PartReference, on_file: Callable[[str, LostFile], None]) -> dict[int, int]:
        """Entry → the bytes that it lacks."""
        files: defaultdict[int, int] = defaultdict(int)
        for batch in tree.decoded(part):
            found: defaultdict[tuple[int, tuple[str, str]], int] = defaultdict(int)
            damages: dict[tuple[str, str], Damage] = {}
            for _, at, place in places_in(batch, self._lost.keys()):
                for lost in self._lost[place.segment_id]:
                    size = _overlap(place.stream_offset_bytes, place.size_bytes, lost)
                    if size:
                        key = lost.damage.row.key
                        damages[key] = lost.damage
                        found[at, key] += size
                        files[batch.first_entry + at] += size
            for (at, key), size in found.items():
                path = batch.path_at(at)
                on_file(batch.source, LostFile(path=path, size_bytes=size, damage=damages[key]))
        return files


def _overlap(offset: int, size: int, lost: LostRange) -> int:
    stop = min(offset + size, lost.offset_bytes + lost.size_bytes)
    return max(0, stop - max(offset, lost.offset_bytes))
