"""The raw volumes of one backup: which of their ranges are used, and how to read a piece of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from producer.configuration.values.sizes import format_size
from producer.host.scouting.looks import SilentError, look_through
from producer.raw.mounts import mounts_of
from producer.raw.ranges import Range, gaps, inside, widened
from producer.raw.raw_path import drop_stale_cache, mark_of
from producer.raw.tools import TIME_LIMIT_S
from producer.raw.unused import Unused, unused_ranges
from producer.requests import BackupRequest, Source
from tasks.digests import CELL_BYTES
from tasks.raw import RawReading
from tasks.values import MAX_EXTENTS

#: As many tools of a file system run, one after the other, each within its limit.
_TOOLS_COUNT = 4


class RawVolume(Struct, frozen=True, kw_only=True):
    """One raw source.  ``unused`` ranges count as zeros: they are in no segment, or not read."""

    name: str
    path: Path
    #: Index of its entry in the listing.
    entry: int
    size_bytes: int
    unused: tuple[Range, ...]
    #: Lets agents check that they have the same raw volume; "": no check.
    mark: str = ""

    @property
    def used_cells(self) -> list[Range]:
        """Whole cells that are used in part or whole, joined where they touch."""
        return widened(gaps(self.unused, self.size_bytes), CELL_BYTES, self.size_bytes)

    def unused_in(self, piece: Range) -> list[Range]:
        return list(inside(self.unused, piece))

    def reading(self, piece: Range) -> RawReading:
        """What a worker must know to read this piece."""
        # The largest ranges save the most, and the number of ranges in an order is limited.
        found = sorted(self.unused_in(piece), key=lambda item: -item.size_bytes)[:MAX_EXTENTS]
        found.sort()
        return RawReading(
            unused_offsets_bytes=tuple(item.start for item in found),
            unused_sizes_bytes=tuple(item.size_bytes for item in found),
            mark=self.mark,
        )


def look_at_raw_volumes(
    request: BackupRequest,
    entries: Mapping[str, int],
    sizes: Sequence[int],
    *,
    for_agents: bool = False,
    on_wait: Callable[[], None] = lambda: None,
) -> tuple[dict[str, RawVolume], list[str]]:
    """The raw volumes of a request, by source name, and a line about each for the user; never fails.

    ``entries``: the entry of each source that answered.  ``for_agents``: they are read on other hosts too.
    """
    raw_volumes, notes = {}, []
    for source in request.sources:
        if source.mode == "raw" and source.name in entries:
            entry = entries[source.name]
            size_bytes = sizes[entry]
            unused, mark = _looked_at(source, request, size_bytes, for_agents=for_agents, on_wait=on_wait)
            raw_volumes[source.name] = RawVolume(
                name=source.name,
                path=source.path,
                entry=entry,
                size_bytes=size_bytes,
                unused=unused.ranges,
                mark=mark,
            )
            unused_bytes = sum(item.size_bytes for item in unused.ranges)
            notes.append(f"{source.path}: {_share(unused_bytes, size_bytes)} ({unused.why})")
    return raw_volumes, notes


def _looked_at(
    source: Source, request: BackupRequest, size_bytes: int, *, for_agents: bool, on_wait: Callable[[], None]
) -> tuple[Unused, str]:
    """What is unused on a raw volume, and its mark for agents."""

    def items() -> Iterator[tuple[Unused, str]]:
        path = source.path
        drop_stale_cache(path)
        unused = Unused(ranges=(), why="all blocks") if request.all_blocks else unused_ranges(path, size_bytes)
        yield unused, mark_of(path, size_bytes) if for_agents and _is_held_still(source, request) else ""

    try:
        (seen,) = look_through(source.path, items, limit_s=_TOOLS_COUNT * TIME_LIMIT_S, on_wait=on_wait)
    except SilentError as error:
        return Unused(ranges=(), why=error.message), ""
    return seen


def _is_held_still(source: Source, request: BackupRequest) -> bool:
    return request.freeze or all(mount.is_read_only for mount in mounts_of(source.path))


def _share(unused_bytes: int, size_bytes: int) -> str:
    return f"{format_size(size_bytes - unused_bytes)} of {format_size(size_bytes)} are read"


def reading_of(
    raw_volumes: Mapping[str, RawVolume], source: str, offset_bytes: int, size_bytes: int
) -> RawReading | None:
    """How to read this piece if its source is a raw volume; None for a piece of a file."""
    raw_volume = raw_volumes.get(source)
    return None if raw_volume is None else raw_volume.reading(Range(offset_bytes, offset_bytes + size_bytes))
