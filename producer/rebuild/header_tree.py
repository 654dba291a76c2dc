"""A tree of the files that the headers of objects name: content, names and sizes, and nothing else.  Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from producer.listing.entry import NO_DATA, NOT_STORED, EntryBatch
from producer.listing.places.places import Place, PlacesWriter
from tasks.ranges import joined

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
#: Entries of one batch.
_BATCH_COUNT = 4096


class NamedRange(Struct, frozen=True, kw_only=True):
    """A range of a file that an object holds.  ``number``: of its segment in the plan of its snapshot."""

    path: str
    place: Place
    number: int


class Owner(Struct, frozen=True, kw_only=True):
    """Whom the files belong to: the headers do not say."""

    uid: int
    gid: int


def batches_of(source: str, ranges: Iterable[NamedRange], owner: Owner) -> Iterator[EntryBatch]:
    """The entries of one source in the order of a walk, from 0.  What is a file and a folder is a folder."""
    files: defaultdict[str, list[NamedRange]] = defaultdict(list)
    for one in ranges:
        files[one.path].append(one)
    if "" in files:
        yield _batch(source, 0, "", [""], {"": files[""]}, owner)
        return
    folders = _folders(files)
    found = {path: files[path] for path in files.keys() - folders.keys()}
    yield _batch(source, 0, "", [""], {}, owner)
    first, pending = 1, [""]
    while pending:
        directory = pending.pop()
        names = sorted(folders[directory], key=_as_bytes)
        for start in range(0, len(names), _BATCH_COUNT):
            page = names[start : start + _BATCH_COUNT]
            yield _batch(source, first, directory, page, found, owner)
            first += len(page)
        below = [_joined(directory, name) for name in names if _joined(directory, name) in folders]
        pending += reversed(below)


def _folders(files: Mapping[str, Sequence[NamedRange]]) -> dict[str, set[str]]:
    """Folder → the names in it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    found[""] = set()
    for path in files:
        while path:
            path, _, name = path.rpartition("/")
            found[path].add(name)
    return dict(found)


def _batch(
    source: str,
    first_entry: int,
    directory: str,
    names: Sequence[str],
    files: Mapping[str, Sequence[NamedRange]],
    owner: Owner,
) -> EntryBatch:
    writer, sizes_bytes, kinds = PlacesWriter(len(names)), list[int](), ""
    unread: dict[str, tuple[str, str]] = {}
    for at, name in enumerate(names):
        ranges = files.get(_joined(directory, name))
        kinds += "d" if ranges is None else "f"
        places = [] if ranges is None else _newest(ranges)
        size_bytes = (
            NO_DATA if ranges is None else max((one.offset_bytes + one.size_bytes for one in places), default=0)
        )
        sizes_bytes.append(size_bytes)
        writer.add(at, name, size_bytes, places)
        if places and joined((one.offset_bytes, one.size_bytes) for one in places) != ((0, size_bytes),):
            unread[name] = (NOT_STORED, "the headers do not say whether the ranges that are missing are holes")
    count = len(names)
    return EntryBatch(
        source=source,
        first_entry=first_entry,
        directory=directory,
        names=list(names),
        kinds=kinds,
        modes=[_FILE_MODE if kind == "f" else _FOLDER_MODE for kind in kinds],
        uids=[owner.uid] * count,
        gids=[owner.gid] * count,
        mtimes_ns=[0] * count,
        ctimes_ns=[0] * count,
        sizes_bytes=sizes_bytes,
        inodes=[0] * count,
        places=writer.places(),
        unread=unread,
    )


def _newest(ranges: Iterable[NamedRange]) -> list[Place]:
    """The ranges that do not overlap; a file that changed was stored again, later in the plan."""
    taken: list[Place] = []
    for one in sorted(ranges, key=lambda one: (-one.number, one.place)):
        start, stop = one.place.offset_bytes, one.place.offset_bytes + one.place.size_bytes
        if all(stop <= other.offset_bytes or other.offset_bytes + other.size_bytes <= start for other in taken):
            taken.append(one.place)
    return sorted(taken, key=lambda place: place.offset_bytes)


def _joined(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _as_bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
