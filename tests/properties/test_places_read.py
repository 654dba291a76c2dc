"""Files that change, grow, shrink, vanish or are replaced in the middle of a backup: a place is bytes that were read.

Hypothesis chooses what happens to which file before which order, and which orders fail, before they are carried out or
after.  So segments have several tries, on both devices; and in the second backup files are compared with what the first
stored.  Files hold no zeros, which is what a segment has in place of bytes that could not be read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from kit.models.in_process import InProcess, in_process
from kit.stored.segments import stream_of
from producer.listing.places.places import Place
from tasks.errors import DeviceError, SourceError
from tasks.orders import Order, StoreSegment

NAMES = ("a", "b", "folder/c", "large")
_SEGMENT_BYTES = 64 * 1024

#: Each takes a second.
EXAMPLES_COUNT = int(os.environ.get("SEGFLEET_PLACES_READ") or 12)


class Event(Struct, frozen=True, kw_only=True):
    """What happens at the order ``number`` that stores something: to a file, or to the order."""

    number: int
    name: str
    kind: str
    size_bytes: int


_KINDS = ("write", "inside", "grow", "shrink", "vanish", "folder", "device", "device-after", "source")
EVENTS = st.lists(
    st.builds(
        Event,
        number=st.integers(0, 6),
        name=st.sampled_from(NAMES),
        kind=st.sampled_from(_KINDS),
        size_bytes=st.sampled_from([1, 500, 30_000, 150_000, 300_000]),
    ),
    max_size=5,
)


class Files:
    """Files below ``root``, and all bytes that each of them ever had."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seed = 0
        self.versions: defaultdict[str, list[bytes]] = defaultdict(list)
        for name, size_bytes in zip(NAMES, (400, 20_000, 3_000, 200_000), strict=True):
            self.change(Event(number=0, name=name, kind="write", size_bytes=size_bytes))

    def change(self, event: Event) -> None:
        path = self._root / event.name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else b""
        after = self._after(event, before)
        if after is not None:
            path.write_bytes(after)
            self.versions[event.name].append(after)
        elif event.kind == "folder":
            path.unlink(missing_ok=True)
            path.mkdir()
        else:
            path.unlink(missing_ok=True)

    def _after(self, event: Event, before: bytes) -> bytes | None:
        if event.kind == "write":
            return self._noise(event.size_bytes)
        if event.kind == "grow":
            return before + self._noise(event.size_bytes)
        if event.kind == "shrink":
            return before[: len(before) // 2]
        if event.kind == "inside":
            part = self._noise(min(100, len(before)))
            at = event.size_bytes % max(1, len(before) - len(part))
            return before[:at] + part + before[at + len(part) :]
        return None

    def _noise(self, size_bytes: int) -> bytes:
        """Other bytes each time, none of them zero."""
        self._seed += 1
        period = bytes(1 + (at * self._seed + at // 255) % 255 for at in range(2_551))
        return (period * (size_bytes // len(period) + 1))[:size_bytes]


@settings(max_examples=EXAMPLES_COUNT)
@given(first=EVENTS, between=EVENTS, second=EVENTS)
def test_each_place_has_bytes_that_were_in_the_file_there(
    first: Sequence[Event], between: Sequence[Event], second: Sequence[Event]
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="sf-"))
    try:
        with in_process(folder) as pool:
            _live(pool, first, between, second)
    finally:
        shutil.rmtree(folder)


def _live(pool: InProcess, first: Sequence[Event], between: Sequence[Event], second: Sequence[Event]) -> None:
    source = pool.folder / "data"
    source.mkdir()
    files = Files(source)
    for events in (first, second):
        pool.before = _during(pool, files, events)
        pool.back_up({"data": source}, has_troubles=True, segment_bytes=_SEGMENT_BYTES)
        _check_places(pool, files)
        for event in between if events is first else ():
            files.change(event)


def _during(pool: InProcess, files: Files, events: Sequence[Event]) -> Callable[[Order], None]:
    orders_count = 0

    def before(order: Order) -> None:
        nonlocal orders_count
        if isinstance(order, StoreSegment):
            happening = [event for event in events if event.number == orders_count]
            orders_count += 1
            for event in happening:
                if event.kind == "device":
                    raise DeviceError("it does not answer")
                if event.kind == "source":
                    raise SourceError("it does not answer")
                if event.kind == "device-after":
                    pool.carry_out(order)
                    raise DeviceError("its receipt is lost")
                files.change(event)

    return before


def _check_places(pool: InProcess, files: Files) -> None:
    for path, place in _places(pool):
        end = place.offset_bytes + place.size_bytes
        found = _stored(pool, place)
        versions = files.versions[path]
        assert any(version[place.offset_bytes : end] == found for version in versions), (path, place)
        assert len(found) == place.size_bytes


def _places(pool: InProcess) -> Iterator[tuple[str, Place]]:
    for batch in pool.tree().batches():
        for at, name in enumerate(batch.names):
            if batch.kinds[at] == "f":
                for place in batch.places.of(at, name, batch.sizes_bytes[at]):
                    yield batch.path_at(at), place


def _stored(pool: InProcess, place: Place) -> bytes:
    """What a restore reads."""
    start, stop = place.stream_offset_bytes, place.stream_offset_bytes + place.size_bytes
    for one in pool.catalog.objects.of([place.segment_id])[place.segment_id]:
        (path,) = (pool.device(one.device) / "segments").glob(f"*/{one.object_id}.seg")
        stream, at = stream_of(path), 0
        for offset, size in one.ranges:
            if offset <= start and stop <= offset + size:
                return stream[at + start - offset :][: place.size_bytes]
            at += size
    raise AssertionError(f"no object has {place}")
