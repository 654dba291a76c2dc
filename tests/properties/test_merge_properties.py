"""The streaming merge of a walk with its parent finds what two dictionaries would find."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from kit.models.sealed import sealed_tree
from producer.backup.parent.merge import Merge
from producer.backup.parent.merged import FileCounts
from producer.backup.parent.unchanged import CLOCK_STEP_NS, Rules
from producer.catalog.sound import Held
from producer.listing.entry import NO_DATA, EntryBatch
from producer.listing.places.places import NO_PLACES, Place, PlacesWriter
from producer.observer import FileChange
from tasks.errors import SegfleetError

BEGAN_NS = 1_000_000_000_000
#: Segments that devices have, have not, have up to a place in their stream, and have not but can be healed.
USABLE, GONE, PARTLY, HEALABLE = (letter * 32 for letter in "abcd")
HELD_BYTES = 600

NAMES = st.sampled_from(["a", "b", "ä", "a-", "a.b", "B", "\udcff", "ab"])


class State(NamedTuple):
    """What a regular file is; ``inode`` tells it from others."""

    inode: int
    size_bytes: int
    ctime_ns: int
    #: At which end a byte is a hole; "" for none.
    hole: str = ""
    #: Of the parent alone: the segments that have its data, a byte each, the last one the rest; and what is wrong.
    segment_ids: tuple[str, ...] = ()
    fault: str = ""

    @property
    def seen(self) -> tuple[object, ...]:
        """What the walk tells of the file."""
        return self.inode, self.size_bytes, self.ctime_ns, self.hole if self.size_bytes else ""

    @property
    def data(self) -> tuple[int, int]:
        """Where data begins in the file, and its size."""
        hole_bytes = int(bool(self.hole) and self.size_bytes > 0)
        return (hole_bytes if self.hole == "front" else 0), self.size_bytes - hole_bytes

    @property
    def places(self) -> list[Place]:
        """In its data; of one that was not read, the first is missing, if there are several."""
        _, left = self.data
        found, offset = [], 0
        for number, segment_id in enumerate(self.segment_ids):
            size = left if number == len(self.segment_ids) - 1 else min(1, left)
            if size:
                found.append(Place(segment_id, self.inode * 100 + number * 10, offset, size))
            offset, left = offset + size, left - size
        return found[1:] if self.fault == "unread" and len(found) > 1 else found

    def compared_with(self, before: State) -> list[Place]:
        """What ``before``, of the same size, has of its data, byte by byte; each place is counted in this file's."""
        (start, size), (before_start, _) = self.data, before.data
        found = []
        for place in before.places:
            offsets = [before_start + place.offset_bytes + at - start for at in range(place.size_bytes)]
            inside = [at for at, offset in enumerate(offsets) if 0 <= offset < size]
            if inside:
                stream = place.stream_offset_bytes + inside[0]
                found.append(Place(place.segment_id, stream, offsets[inside[0]], len(inside)))
        return found


def is_usable(place: Place) -> bool:
    is_held = place.segment_id == PARTLY and place.stream_offset_bytes + place.size_bytes <= HELD_BYTES
    return place.segment_id == USABLE or is_held


@dataclass(frozen=True)
class Files:
    """Of one source: paths of regular files → their state; of further names and symlinks → "h" or "l".

    Every folder above them is an entry too.
    """

    files: dict[str, State]
    links: dict[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> set[str]:
        return {*self.files, *self.links}

    def batches(self, source: str, first: int, *, with_places: bool, longest: int) -> Iterable[EntryBatch]:
        folders = {""} | {above for path in self.paths for above in _above(path)}
        children: dict[str, dict[str, State | str | None]] = {folder: {} for folder in folders}
        for folder in folders - {""}:
            parent, _, name = folder.rpartition("/")
            children[parent][name] = None
        entries: dict[str, State | str] = {**self.files, **self.links}
        for path, state in entries.items():
            parent, _, name = path.rpartition("/")
            children[parent][name] = state
        yield _batch(source, "", first, [("", None)], with_places=False)
        first += 1
        for folder in sorted(folders, key=lambda path: [b"", *os.fsencode(path).split(b"/")] if path else [b""]):
            inside = sorted(children[folder].items(), key=lambda item: os.fsencode(item[0]))
            for start in range(0, len(inside), longest):
                yield _batch(source, folder, first, inside[start : start + longest], with_places=with_places)
                first += len(inside[start : start + longest])


#: Source → what is in it.
Sources = dict[str, Files]


def batches(sources: Sources, *, with_places: bool, longest: int) -> Iterable[EntryBatch]:
    first = 0
    for name, files in sources.items():
        for batch in files.batches(name, first, with_places=with_places, longest=longest):
            first = batch.stop_entry
            yield batch


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _batch(
    source: str, folder: str, first_entry: int, entries: list[tuple[str, State | str | None]], *, with_places: bool
) -> EntryBatch:
    writer = PlacesWriter(len(entries))
    states = [state if isinstance(state, State) else None for _, state in entries]
    for place, ((name, _), state) in enumerate(zip(entries, states, strict=True)):
        if with_places and state is not None:
            writer.add(place, name, state.data[1], state.places)
    count = len(entries)
    files = {name: state for (name, _), state in zip(entries, states, strict=True) if state is not None}
    sparse = {name: state.data for name, state in files.items() if state.hole and state.size_bytes}
    faults = {name: state.fault for name, state in files.items() if with_places}
    return EntryBatch(
        source=source,
        directory=folder,
        first_entry=first_entry,
        names=[name for name, _ in entries],
        kinds="".join({str: str(one), State: "f"}.get(type(one), "d") for _, one in entries),
        modes=[0o644] * count,
        uids=[0] * count,
        gids=[0] * count,
        mtimes_ns=[0 if state is None else state.ctime_ns for state in states],
        ctimes_ns=[0 if state is None else state.ctime_ns for state in states],
        sizes_bytes=[-1 if state is None else state.size_bytes for state in states],
        inodes=[0 if state is None else state.inode for state in states],
        links={name: "src/first" for name, one in entries if isinstance(one, str)},
        places=writer.places() if with_places else NO_PLACES,
        data_ranges={name: [data] if data[1] else [] for name, data in sparse.items()},
        unread={name: ("changing", "") for name, fault in faults.items() if fault == "unread"},
        unsettled=[name for name, fault in faults.items() if fault == "unsettled"],
    )


STATES = st.builds(
    State,
    inode=st.integers(1, 12),
    size_bytes=st.integers(0, 4),
    ctime_ns=st.sampled_from([1, 2, BEGAN_NS]),
    hole=st.sampled_from(["", "", "front", "end"]),
    segment_ids=st.lists(st.sampled_from([USABLE, USABLE, PARTLY, HEALABLE, GONE]), min_size=1, max_size=3).map(tuple),
    fault=st.sampled_from(["", "", "", "unread", "unsettled"]),
)


@st.composite
def trees(draw: st.DrawFn) -> Sources:
    taken: set[int] = set()
    return {name: _drawn(draw, taken) for name in ("src", "two")}


def _drawn(draw: st.DrawFn, taken: set[int]) -> Files:
    paths = draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=8, unique=True))
    folders = {above for path in paths for above in _above(path)}
    found = Files({})
    for path in paths:
        state = draw(STATES | st.sampled_from(["h", "l"]))
        if path in folders:
            continue
        if isinstance(state, str):
            found.links[path] = state
        # One inode is one file; its further names are hard links.
        elif state.inode not in taken:
            found.files[path] = state
            taken.add(state.inode)
    return found


def _together(parent: Sources, other: Sources) -> Sources:
    """Most files of the walk are those of the parent, if that makes a tree."""
    both = {
        name: Files({**before.files, **other[name].files}, {**before.links, **other[name].links})
        for name, before in parent.items()
    }
    inodes = [state.inode for one in both.values() for state in one.files.values()]
    folders = {(name, above) for name, one in both.items() for path in one.paths for above in _above(path)}
    paths = [(name, path) for name, one in both.items() for path in [*one.files, *one.links]]
    is_tree = len(set(inodes)) == len(inodes) and len(set(paths)) == len(paths) and folders.isdisjoint(paths)
    return both if is_tree else other


def _flat(sources: Sources) -> dict[str, State]:
    return {f"{name}/{path}": state for name, one in sources.items() for path, state in one.files.items()}


class Naive:
    """What the merge must find: everything by path, and all in memory."""

    def __init__(self, parent: Sources, walked: Sources) -> None:
        #: Where unchanged files are; what others are compared with; which are not even opened.
        self.places: dict[str, list[Place]] = {}
        self.former: dict[str, list[Place]] = {}
        self.unopened: set[str] = set()
        self.lost: set[str] = set()
        self.counts = FileCounts()
        self._files = _flat(parent)
        self._by_inode = {state.inode: state for state in self._files.values()}
        self._further = {
            f"{name}/{path}" for name, one in parent.items() for path in one.links if one.links[path] == "h"
        }
        for path, state in _flat(walked).items():
            self._look(path, state)

    def _look(self, path: str, state: State) -> None:
        is_old = state.ctime_ns < BEGAN_NS
        before, other = self._files.get(path), self._by_inode.get(state.inode)
        at_path = before is not None and is_old and before.seen == state.seen
        elsewhere = bool(is_old and state.size_bytes and other is not None and other.seen == state.seen)
        found = before if at_path else other if elsewhere else None
        if found is not None and (not found.data[1] or found.places) and not found.fault:
            self.counts.unchanged += at_path
            self.counts.moved += not at_path
            self._take_over(path, found)
            return
        is_known = found is not None or before is not None or path in self._further
        self.counts.changed += is_known
        self.counts.new += not is_known
        compared = found or before or other
        if compared is not None and 0 < state.size_bytes == compared.size_bytes:
            known = [place for place in state.compared_with(compared) if is_usable(place)]
            self.former |= {path: known} if known else {}

    def _take_over(self, path: str, found: State) -> None:
        gone = [place for place in found.places if not is_usable(place)]
        is_healed = all(place.segment_id == HEALABLE for place in gone)
        self.counts.again += bool(gone)
        self.counts.again_bytes += sum(place.size_bytes for place in gone) if is_healed else found.data[1]
        if is_healed:
            self.lost |= {place.segment_id for place in gone}
            self.places |= {path: found.places} if found.places else {}
            self.unopened.add(path)


def _ids(places: dict[str, list[Place]]) -> set[str]:
    return {place.segment_id for found in places.values() for place in found}


def _fail(error: SegfleetError) -> None:
    raise error


@given(trees(), trees(), st.integers(1, 5), st.integers(1, 5), st.sets(st.integers(0, 30)), st.booleans())
def test_the_merge_takes_over_what_two_dictionaries_would(
    parent: Sources, other: Sources, longest: int, parents_longest: int, ends: set[int], is_kept: bool
) -> None:
    """``ends``: parts of the parent end after these of its batches, also in the middle of a folder."""
    walked = _together(parent, other) if is_kept else other
    named: list[tuple[FileChange, str]] = []
    merge = Merge(
        sealed_tree(batches(parent, with_places=True, longest=parents_longest), ["src", "two"], ends),
        ["src", "two"],
        Rules(began_ns=BEGAN_NS + CLOCK_STEP_NS),
        Held(whole=frozenset({USABLE}), partly={PARTLY: [(0, HELD_BYTES)]}),
        lambda change, path: named.append((change, path)),
        healable={HEALABLE},
        on_damage=_fail,
    )
    found: dict[str, list[Place]] = {}
    former: dict[str, list[Place]] = {}
    unopened: set[str] = set()
    for batch in batches(walked, with_places=False, longest=longest):
        merged, to_store, _ = merge.merged(batch)
        for place in range(len(merged)):
            path = merged.snapshot_path_at(place)
            if merged.kinds[place] == "f" and to_store[place] == NO_DATA:
                unopened.add(path)
            else:
                assert to_store[place] == merged.stored_sizes_bytes[place]
            found |= {path: all_of} if (all_of := list(merged.places_of(place))) else {}
            former |= {path: all_of} if (all_of := list(merged.former_places_of(place))) else {}
    naive = Naive(parent, walked)
    assert (found, former, unopened) == (naive.places, naive.former, naive.unopened)
    assert (merge.counts, merge.lost) == (naive.counts, naive.lost)
    assert Counter(change for change, _ in named) == +Counter(
        new=naive.counts.new, changed=naive.counts.changed, moved=naive.counts.moved
    )
    assert {path for _, path in named} <= _flat(walked).keys()
    assert (merge.compared, merge.borrowed) == (_ids(naive.former), _ids(naive.places))
    assert merge.compared_bytes == sum(place.size_bytes for places in naive.former.values() for place in places)
