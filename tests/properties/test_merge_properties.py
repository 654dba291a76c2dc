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

BEGAN_NS = 1_000_000_000_000
USABLE, GONE = "a" * 32, "b" * 32

NAMES = st.sampled_from(["a", "b", "ä", "a-", "a.b", "B", "\udcff", "ab"])


class State(NamedTuple):
    """What a regular file is; ``inode`` tells it from others."""

    inode: int
    size_bytes: int
    ctime_ns: int
    segment_id: str


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
        if with_places and state is not None and state.size_bytes:
            writer.add(place, name, state.size_bytes, [_place_of(state)])
    count = len(entries)
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
    )


def _place_of(state: State) -> Place:
    return Place(state.segment_id, state.inode * 100, 0, state.size_bytes)


STATES = st.builds(
    State,
    inode=st.integers(1, 12),
    size_bytes=st.integers(0, 3),
    ctime_ns=st.sampled_from([1, 2, BEGAN_NS]),
    segment_id=st.sampled_from([USABLE, GONE]),
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


def naive(parent: Sources, walked: Sources) -> tuple[dict[str, Place], dict[str, Place], set[str], FileCounts]:
    """Where unchanged files are, what others are compared with, which are not even opened, and the counts."""
    places: dict[str, Place] = {}
    unopened: set[str] = set()
    former: dict[str, Place] = {}
    counts = FileCounts()
    files = _flat(parent)
    by_inode = {state.inode: state for state in files.values()}
    further = {f"{name}/{path}" for name, one in parent.items() for path, kind in one.links.items() if kind == "h"}
    for path, state in _flat(walked).items():
        is_old = state.ctime_ns < BEGAN_NS
        before = files.get(path)
        at_path = before is not None and is_old and before[:3] == state[:3]
        other = by_inode.get(state.inode)
        elsewhere = bool(is_old and state.size_bytes and other is not None and other[:3] == state[:3])
        if at_path or elsewhere:
            found = before if at_path else other
            assert found is not None
            counts.unchanged += at_path
            counts.moved += not at_path
            if found.size_bytes and found.segment_id == USABLE:
                places[path] = _place_of(found)
                unopened.add(path)
            elif found.size_bytes:
                counts.again += 1
                counts.again_bytes += found.size_bytes
            else:
                unopened.add(path)
        else:
            is_known = before is not None or path in further
            counts.changed += is_known
            counts.new += not is_known
            compared = before or other
            if compared is not None and 0 < state.size_bytes == compared.size_bytes and compared.segment_id == USABLE:
                former[path] = _place_of(compared)
    return places, former, unopened, counts


@given(trees(), trees(), st.integers(1, 5), st.booleans())
def test_the_merge_takes_over_what_two_dictionaries_would(
    parent: Sources, other: Sources, longest: int, is_kept: bool
) -> None:
    walked = _together(parent, other) if is_kept else other
    named: list[tuple[FileChange, str]] = []
    merge = Merge(
        sealed_tree(batches(parent, with_places=True, longest=1000), ["src", "two"]),
        ["src", "two"],
        Rules(began_ns=BEGAN_NS + CLOCK_STEP_NS),
        Held(whole=frozenset({USABLE})),
        lambda change, path: named.append((change, path)),
    )
    found: dict[str, Place] = {}
    former: dict[str, Place] = {}
    unopened: set[str] = set()
    for batch in batches(walked, with_places=False, longest=longest):
        merged, to_store, _ = merge.merged(batch)
        for place, name in enumerate(merged.names):
            if merged.kinds[place] == "f" and to_store[place] == NO_DATA:
                unopened.add(merged.snapshot_path_at(place))
            else:
                assert to_store[place] == merged.sizes_bytes[place]
            for one in merged.places.of(place, name, merged.sizes_bytes[place]):
                found[merged.snapshot_path_at(place)] = one
            for one in merged.former_places_of(place):
                former[merged.snapshot_path_at(place)] = one
    places, compared, kept, counts = naive(parent, walked)
    assert (found, former, unopened, merge.counts) == (places, compared, kept, counts)
    assert Counter(change for change, _ in named) == +Counter(
        new=counts.new, changed=counts.changed, moved=counts.moved
    )
    assert {path for _, path in named} <= _flat(walked).keys()
    assert merge.compared == {place.segment_id for place in compared.values()}
    assert merge.borrowed == {place.segment_id for place in places.values()}
