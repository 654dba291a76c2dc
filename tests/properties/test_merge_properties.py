"""The streaming merge of a walk with its parent finds what two dictionaries would find."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from kit.models.sealed import sealed_tree
from producer.backup.parent.merge import FileCounts, Merge
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
    """Paths of regular files → their state; every folder above them is an entry too."""

    files: dict[str, State]

    def batches(self, *, with_places: bool, longest: int) -> Iterable[EntryBatch]:
        folders = {""} | {above for path in self.files for above in _above(path)}
        children: dict[str, dict[str, State | None]] = {folder: {} for folder in folders}
        for folder in folders - {""}:
            parent, _, name = folder.rpartition("/")
            children[parent][name] = None
        for path, state in self.files.items():
            parent, _, name = path.rpartition("/")
            children[parent][name] = state
        first = 1
        yield _batch("", 0, [("", None)], with_places=False)
        for folder in sorted(folders, key=lambda path: [b"", *os.fsencode(path).split(b"/")] if path else [b""]):
            entries = sorted(children[folder].items(), key=lambda item: os.fsencode(item[0]))
            for start in range(0, len(entries), longest):
                yield _batch(folder, first, entries[start : start + longest], with_places=with_places)
                first += len(entries[start : start + longest])


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _batch(folder: str, first_entry: int, entries: list[tuple[str, State | None]], *, with_places: bool) -> EntryBatch:
    writer = PlacesWriter(len(entries))
    for place, (name, state) in enumerate(entries):
        if with_places and state is not None and state.size_bytes:
            writer.add(place, name, state.size_bytes, [_place_of(state)])
    count = len(entries)
    return EntryBatch(
        source="src",
        directory=folder,
        first_entry=first_entry,
        names=[name for name, _ in entries],
        kinds="".join("d" if state is None else "f" for _, state in entries),
        modes=[0o644] * count,
        uids=[0] * count,
        gids=[0] * count,
        mtimes_ns=[0 if state is None else state.ctime_ns for _, state in entries],
        ctimes_ns=[0 if state is None else state.ctime_ns for _, state in entries],
        sizes_bytes=[-1 if state is None else state.size_bytes for _, state in entries],
        inodes=[0 if state is None else state.inode for _, state in entries],
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
def trees(draw: st.DrawFn) -> Files:
    paths = draw(st.lists(st.lists(NAMES, min_size=1, max_size=3).map("/".join), max_size=12, unique=True))
    folders = {above for path in paths for above in _above(path)}
    files: dict[str, State] = {}
    taken: set[int] = set()
    for path in paths:
        state = draw(STATES)
        # One inode is one file; its further names would be hard links.
        if path not in folders and state.inode not in taken:
            files[path] = state
            taken.add(state.inode)
    return Files(files)


def naive(parent: Files, walked: Files) -> tuple[dict[str, Place], dict[str, Place], set[str], FileCounts]:
    """Where unchanged files are, what others are compared with, which are not even opened, and the counts."""
    places: dict[str, Place] = {}
    unopened: set[str] = set()
    former: dict[str, Place] = {}
    counts = FileCounts()
    by_inode = {state.inode: state for state in parent.files.values()}
    for path, state in walked.files.items():
        is_old = state.ctime_ns < BEGAN_NS
        before = parent.files.get(path)
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
            counts.changed += before is not None
            counts.new += before is None
            compared = before or other
            if compared is not None and 0 < state.size_bytes == compared.size_bytes and compared.segment_id == USABLE:
                former[path] = _place_of(compared)
    return places, former, unopened, counts


@given(trees(), trees(), st.integers(1, 5), st.booleans())
def test_the_merge_takes_over_what_two_dictionaries_would(
    parent: Files, other: Files, longest: int, is_kept: bool
) -> None:
    # Most files of the walk are those of the parent.
    walked = Files({**{path: state for path, state in parent.files.items() if is_kept}, **other.files})
    inodes = [state.inode for state in walked.files.values()]
    folders = {above for path in walked.files for above in _above(path)}
    if len(set(inodes)) < len(inodes) or folders & walked.files.keys():
        walked = other
    named: list[tuple[FileChange, str]] = []
    merge = Merge(
        sealed_tree(parent.batches(with_places=True, longest=1000)),
        ["src"],
        Rules(began_ns=BEGAN_NS + CLOCK_STEP_NS),
        Held(whole=frozenset({USABLE})),
        lambda change, path: named.append((change, path)),
    )
    found: dict[str, Place] = {}
    former: dict[str, Place] = {}
    unopened: set[str] = set()
    for batch in walked.batches(with_places=False, longest=longest):
        merged, to_store = merge.merged(batch)
        for place, name in enumerate(merged.names):
            if merged.kinds[place] == "f" and to_store[place] == NO_DATA:
                unopened.add(merged.path_at(place))
            else:
                assert to_store[place] == merged.sizes_bytes[place]
            for one in merged.places.of(place, name, merged.sizes_bytes[place]):
                found[merged.path_at(place)] = one
            for one in merged.former_places_of(place):
                former[merged.path_at(place)] = one
    places, compared, kept, counts = naive(parent, walked)
    assert (found, former, unopened, merge.counts) == (places, compared, kept, counts)
    assert Counter(change for change, _ in named) == +Counter(
        new=counts.new, changed=counts.changed, moved=counts.moved
    )
    assert {path for _, path in named} <= {f"src/{path}" for path in walked.files}
    assert merge.compared == {place.segment_id for place in compared.values()}
    assert merge.borrowed == {place.segment_id for place in places.values()}
