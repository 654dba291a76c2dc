"""The names and numbers in messages, with their bounds.

Annotated types, checked by :func:`tasks.wire.decode`.  The bounds are what a worker accepts from a stranger, so each is
as narrow as normal use allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import eq
from typing import Annotated, Literal

from msgspec import Meta, Struct

#: 2**63 - 1, the largest offset in Linux.
MAX_OFFSET_BYTES = 2**63 - 1

#: Extents in one order: a 96 MiB bundle of 1.5 KiB files, in a message of about 4 MB.
MAX_EXTENTS = 65_536

#: Path of one entry, with the name of its source before it, as a restore orders it: the walk leaves out what is longer.
#: PATH_MAX is 4096 bytes and a byte may become one character.
MAX_PATH_CHARACTERS = 4096

#: 1 PiB: more than any file that was ever filled.  The walk leaves out what claims to be larger.
MAX_FILE_BYTES = 2**50

#: Units outside 20-25 MiB are allowed when asked for (design, section 3), within these bounds.
MIN_UNIT_BYTES = 64 * 1024
MAX_UNIT_BYTES = 1024**3

#: Units of one segment: with the smallest units a segment of 16 GiB, with the usual ones of 6 TiB.
MAX_UNITS_COUNT = 262_144

#: What an order asks for: its receipt has no room for the digests of more cells (:mod:`tasks.digests`).  Each range of
#: a file with holes may begin and end within a cell.
MAX_SEGMENT_BYTES = 224 * 1024**3

DeviceName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
#: Where a device stands.
SiteName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
SiteNameOrNone = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.-]{0,62})?$")]
SourceName = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^/\x00]+$")]
HexId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
DigestOrNone = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")]
#: Of a device, or of what a device holds.  No disk comes near, and sums of them stay numbers of a database.
MAX_DEVICE_BYTES = 2**56
DeviceBytes = Annotated[int, Meta(ge=0, le=MAX_DEVICE_BYTES)]
#: A time as file systems have it.
Nanoseconds = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=MAX_OFFSET_BYTES)]
UnitBytes = Annotated[int, Meta(ge=MIN_UNIT_BYTES, le=MAX_UNIT_BYTES)]
RelativePath = Annotated[str, Meta(max_length=MAX_PATH_CHARACTERS)]

Paths = Annotated[tuple[RelativePath, ...], Meta(max_length=MAX_EXTENTS)]
Counts = Annotated[tuple[Count, ...], Meta(max_length=MAX_EXTENTS)]


WIRE_VERSION: Literal[1] = 1
#: A manifest part travels as base64 text: 4 MiB of bytes become 5.6 million characters.
PartText = Annotated[str, Meta(max_length=8 * 1024 * 1024)]


class Extent(Struct, frozen=True, kw_only=True):
    """A byte range of one source file."""

    path: str
    offset_bytes: int
    size_bytes: int


class Extents(Struct, frozen=True, kw_only=True):
    """The extents of one segment, in stored order, as columns.

    Columns, because a bundle holds thousands of extents, and encoding three lists costs a tenth of encoding that many
    objects.  Iteration yields :class:`Extent` rows.  Paths are relative to their source ("" is the source itself);
    bytes that are not UTF-8 are surrogate escapes.
    """

    paths: Paths
    offsets_bytes: Counts
    sizes_bytes: Counts

    def __post_init__(self) -> None:
        if not len(self.paths) == len(self.offsets_bytes) == len(self.sizes_bytes):
            raise ValueError("the columns of extents differ in length")
        if any(map(_escapes, self.paths)):
            raise ValueError("an extent's path is absolute, or has an empty, '.' or '..' part")

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Extent]:
        for path, offset_bytes, size_bytes in zip(self.paths, self.offsets_bytes, self.sizes_bytes, strict=True):
            yield Extent(path=path, offset_bytes=offset_bytes, size_bytes=size_bytes)

    @property
    def total_bytes(self) -> int:
        return sum(self.sizes_bytes)

    def at(self, places: Sequence[int]) -> Extents:
        """Those at these indexes, in this order."""
        if len(places) == len(self) and all(map(eq, places, range(len(self)))):
            return self
        return Extents(
            paths=tuple(self.paths[place] for place in places),
            offsets_bytes=tuple(self.offsets_bytes[place] for place in places),
            sizes_bytes=tuple(self.sizes_bytes[place] for place in places),
        )

    @classmethod
    def of(cls, rows: list[Extent]) -> Extents:
        return cls(
            paths=tuple(row.path for row in rows),
            offsets_bytes=tuple(row.offset_bytes for row in rows),
            sizes_bytes=tuple(row.size_bytes for row in rows),
        )


class SourcePlace(Struct, frozen=True, kw_only=True):
    """Where a source is that a worker's configuration does not name: below one that it does.

    ``source`` is the configured one, ``path`` the relative path of a folder or file in it, never "".
    """

    source: SourceName
    path: RelativePath

    def __post_init__(self) -> None:
        if not self.path or _escapes(self.path):
            raise ValueError("the place of a source is not below a configured source")


def is_safe_path(path: str) -> bool:
    """Whether ``path`` is "" or relative with no empty, '.' or '..' part and no NUL."""
    return not _escapes(path)


def _escapes(path: str) -> bool:
    # The cheap test first: 78,600 paths of a kernel tree take 20 ms this way.
    if "/." not in path and "//" not in path and path[:1] not in ("/", ".") and "\0" not in path:
        return path.endswith("/")
    if "\0" in path:
        return True
    return any(part in ("", ".", "..") for part in path.split("/"))
