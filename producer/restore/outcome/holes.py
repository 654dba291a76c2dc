"""Large files that could not be restored completely: kept with holes and a note, or not put in their place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from producer.raw.ranges import Range, merged
from tasks.orders import TargetEntry
from tasks.values import MAX_EXTENTS

#: The note beside an incomplete file, which says what is missing.
NOTE_SUFFIX = ".segfleet-missing"

#: Ranges that one note lists; a file of 1 TiB has 4,096 segments.
_MAX_RANGES = 10_000


class Hole(Struct, frozen=True, kw_only=True):
    """Bytes [offset_bytes, offset_bytes + size_bytes) of a file, and why they are missing."""

    offset_bytes: int
    size_bytes: int
    why: str

    def __str__(self) -> str:
        return f"bytes {self.offset_bytes} to {self.offset_bytes + self.size_bytes}: {self.why}"


class Holes:
    """Collects the missing ranges of pieced files, by the file's path in the target.

    ``keep``: an incomplete file stays, with zeros for the missing ranges; otherwise what was there before stays.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._of: dict[str, list[Hole]] = {}

    def add(self, path: str, hole: Hole) -> None:
        self._of.setdefault(path, []).append(hole)

    def has(self, path: str) -> bool:
        return path in self._of

    def ranges(self, path: str, size_bytes: int) -> list[Range]:
        """What is missing, in as few ranges as possible, none beyond the file's end, which may have come early."""
        holes = self._of.get(path, ())
        return merged(Range(hole.offset_bytes, min(hole.offset_bytes + hole.size_bytes, size_bytes)) for hole in holes)

    def finish(self, entries: Iterable[TargetEntry]) -> Iterator[TargetEntry]:
        """Decides about each pieced file; an incomplete file that stays is followed by its note."""
        for entry in entries:
            holes = sorted(self._of.get(entry.path, ()), key=lambda hole: hole.offset_bytes)
            ranges = self.ranges(entry.path, entry.size_bytes)
            if not holes:
                yield entry
            elif self._keep and _is_worth_keeping(entry, ranges):
                yield replace(
                    entry,
                    hole_offsets_bytes=tuple(lost.start for lost in ranges),
                    hole_sizes_bytes=tuple(lost.size_bytes for lost in ranges),
                )
                yield replace(
                    entry,
                    kind="note",
                    path=entry.path + NOTE_SUFFIX,
                    mode=0o600,
                    text=_note(entry, holes),
                    finish=False,
                )
            else:
                yield replace(entry, kind="absent", finish=False)


def _is_worth_keeping(entry: TargetEntry, ranges: Sequence[Range]) -> bool:
    """Whether anything is left of it, and one order can name all missing ranges."""
    return sum(lost.size_bytes for lost in ranges) < entry.size_bytes and len(ranges) <= MAX_EXTENTS


def _note(entry: TargetEntry, holes: list[Hole]) -> str:
    name = ascii(entry.path.rpartition("/")[2])[1:-1]
    lines = [f"segfleet could not restore these parts of {name} ({entry.size_bytes} bytes).  They read as zeros.", ""]
    lines += map(str, holes[:_MAX_RANGES])
    if len(holes) > _MAX_RANGES:
        lines.append(f"and {len(holes) - _MAX_RANGES} more")
    return ascii("\n".join([*lines, ""]))[1:-1].replace("\\n", "\n")
