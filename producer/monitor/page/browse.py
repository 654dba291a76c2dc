"""What snapshots hold, for the page: the snapshots of a volume, and one folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain
from urllib.parse import urlencode

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.protection import Protection
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.configuration.values.ages import format_age
from producer.configuration.values.sizes import format_size
from producer.host.safe_text import escaped
from producer.listing.entry import Entry, EntryBatch
from tasks.errors import UsageError

_WITH_BYTES = ("file", "hardlink")

#: What the page shows at most; the command shows all.
SNAPSHOTS_COUNT = 100
ROWS_COUNT = 2000


class SnapshotCells(Struct, frozen=True, kw_only=True):
    link: str
    snapshot_id: str
    made: str
    age: str
    size: str
    files: str
    protection: str


class EntryCells(Struct, frozen=True, kw_only=True):
    #: "" for what is no folder.
    link: str
    #: "" for what has no bytes to download.
    download: str
    name: str
    kind: str
    size: str
    changed: str


class FileMeant(Struct, frozen=True, kw_only=True):
    """A file that a reader wants to download."""

    snapshot_id: str
    path: str

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


def snapshot_cells(row: SnapshotRow, protection: Protection | None, now: datetime) -> SnapshotCells:
    return SnapshotCells(
        link=folder_link(row.snapshot_id, ""),
        snapshot_id=row.snapshot_id[:8],
        made=f"{row.started_at.astimezone():%Y-%m-%d %H:%M}",
        age=format_age(now - row.started_at),
        size=format_size(row.bytes_source),
        files=f"{row.files_count:,}",
        protection="" if protection is None else protection.words,
    )


def folder_link(snapshot_id: str, path: str) -> str:
    return _link("/browse", snapshot_id, path)


def _link(place: str, snapshot_id: str, path: str) -> str:
    return f"{place}?{urlencode({'snapshot': snapshot_id, 'path': path}, errors='surrogateescape')}"


def volume_link(volume: str) -> str:
    return f"/snapshots?{urlencode({'volume': volume}, errors='surrogateescape')}"


def folder(catalog: Catalog, snapshot_id: str, path: str) -> Iterator[EntryCells]:
    """The entries directly in ``path``; for "" the sources."""
    for batch in _batches(catalog, snapshot_id, path):
        yield from (_entry_cells(snapshot_id, entry) for entry in batch)


def file_meant(catalog: Catalog, snapshot: str, path: str) -> FileMeant:
    """Raises UsageError for a snapshot that is not there, and for what is no file of it."""
    snapshot_id = catalog.snapshots.find(snapshot).snapshot_id
    above, _, name = path.rpartition("/")
    entries = chain.from_iterable(_batches(catalog, snapshot_id, above, name))
    entry = next((entry for entry in entries if entry.snapshot_path == path), None)
    if entry is not None and entry.kind in _WITH_BYTES:
        return FileMeant(snapshot_id=snapshot_id, path=path)
    raise UsageError("there is no such file in the snapshot", hint="segfleet ls shows what there is")


def _batches(catalog: Catalog, snapshot_id: str, path: str, name: str = "") -> Iterator[EntryBatch]:
    """Of the folder ``path``, from the one where ``name`` is or would be."""
    tree = catalog.trees.of(snapshot_id)
    source, _, directory = path.partition("/")
    return tree.folder(source, directory, name) if source else tree.own_entries()


def _entry_cells(snapshot_id: str, entry: Entry) -> EntryCells:
    is_folder = entry.kind == "directory"
    return EntryCells(
        link=folder_link(snapshot_id, entry.snapshot_path) if is_folder else "",
        download=_link("/download", snapshot_id, entry.snapshot_path) if entry.kind in _WITH_BYTES else "",
        name=escaped(entry.snapshot_path.rpartition("/")[2]),
        kind=entry.kind,
        size=format_size(entry.size_bytes) if entry.kind == "file" else "",
        changed=_moment(entry.mtime_ns),
    )


def _moment(time_ns: int) -> str:
    """ "" outside the years that a calendar has."""
    try:
        return f"{datetime.fromtimestamp(time_ns // 10**9, UTC).astimezone():%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return ""
