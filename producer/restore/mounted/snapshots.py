"""The mounted file system, without FUSE: what is at a path, and the bytes of a file."""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from threading import Lock

from msgspec import Struct

from producer.catalog.catalog import Catalog
from producer.catalog.tables.snapshots.rows import SnapshotRow
from producer.listing import Entry
from producer.restore.mounted.blocks import Blocks
from producer.restore.mounted.layout import layout_of, newest_of
from producer.restore.mounted.status import TYPE_BITS, Status, inode_of, status_of
from producer.restore.mounted.tree import SnapshotTree
from producer.restore.planning.selection import Selection
from producer.restore.planning.wanted import find_wanted
from producer.restore.reading.stored_files import StoredFile, StoredFiles
from tasks.errors import DamagedError

#: Snapshots whose index is in memory.
_OPEN_COUNT = 8


class _Open(Struct, frozen=True):
    number: int
    tree: SnapshotTree
    files: StoredFiles


class MountedSnapshots:
    """For any thread.  Paths have no leading slash.  Raises OSError with the number that the caller of the kernel gets.

    ``say`` reports a file that cannot be read, once.  ``present``: the ids of the devices that are there.
    """

    def __init__(
        self,
        catalog: Catalog,
        snapshots: list[SnapshotRow],
        blocks: Blocks,
        say: Callable[[str, str], None],
        present: Collection[str],
    ) -> None:
        self._catalog = catalog
        self._rows = {row.snapshot_id: row for row in snapshots}
        self._numbers = {snapshot_id: number for number, snapshot_id in enumerate(self._rows, 1)}
        self._layout = layout_of(snapshots, [row.snapshot_id for row in catalog.snapshots.all()])
        self._made_ns = int(newest_of(snapshots).timestamp()) * 1_000_000_000
        self._blocks = blocks
        self._say = say
        self._present = present
        self._said: set[str] = set()
        self._lock = Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()

    # ---- what is at a path

    def status(self, path: str) -> Status:
        place = self._layout.split(path)
        if place is None or not place[1]:
            return self._status_above(path)
        with self._lock:
            opened = self._opened(place[0])
            return self._status_of(opened, *self._entries(opened, place[1]))

    def names(self, path: str) -> Iterator[tuple[str, int, int]]:
        """(name, mode with the bits of its kind, inode) of what is in a directory."""
        place = self._layout.split(path)
        if place is None:
            if path not in self._layout.folders:
                raise _error(errno.ENOENT)
            for name in self._layout.folders[path]:
                status = self._status_above(f"{path}/{name}".lstrip("/"))
                yield name, status.mode, status.inode
            return
        with self._lock:
            opened = self._opened(place[0])
            found = list(opened.tree.names(place[1]))
        for name, letter, index in found:
            yield name, TYPE_BITS[letter], inode_of(opened.number, index)

    def link(self, path: str) -> str:
        """Where a symlink leads."""
        if path in self._layout.links:
            return self._layout.links[path]
        entry = self._entry(path)
        if entry.kind != "symlink":
            raise _error(errno.EINVAL)
        return entry.link

    def attributes(self, path: str) -> dict[str, bytes]:
        """Extended attributes."""
        place = self._layout.split(path)
        if place is None or not place[1]:
            return {}
        return {name: base64.b64decode(value) for name, value in self._entry(path).attributes.items()}

    # ---- the bytes of a file

    def file(self, path: str) -> StoredFile:
        """What to read the file at a path from; EIO if its bytes are lost."""
        place = self._layout.split(path)
        if place is None or not place[1]:
            raise _error(errno.EISDIR)
        with self._lock:
            opened = self._opened(place[0])
            _, entry = self._entries(opened, place[1])
            if entry.kind != "file":
                raise _error(errno.EISDIR if entry.kind == "directory" else errno.EINVAL)
            file = opened.files.file(entry)
        if file.why_lost:
            raise self._unreadable(path, file.why_lost)
        return file

    def read(self, path: str, file: StoredFile, size_bytes: int, offset_bytes: int) -> bytes:
        """As ``pread``: what no piece holds is zeros."""
        stop_bytes = min(offset_bytes + size_bytes, file.entry.size_bytes)
        found = bytearray(max(0, stop_bytes - offset_bytes))
        try:
            for piece in file.pieces_in(offset_bytes, stop_bytes):
                start = piece.offset_bytes - offset_bytes
                found[start : start + piece.size_bytes] = self._blocks.read(piece)
        except DamagedError as error:
            raise self._unreadable(path, error.message) from error
        return bytes(found)

    # ----

    def _unreadable(self, path: str, why: str) -> OSError:
        with self._lock:
            is_new = path not in self._said
            self._said.add(path)
        if is_new:
            self._say(path, why)
        return _error(errno.EIO)

    def _entry(self, path: str) -> Entry:
        place = self._layout.split(path)
        if place is None or not place[1]:
            self._status_above(path)
            raise _error(errno.EINVAL)
        with self._lock:
            return self._entries(self._opened(place[0]), place[1])[1]

    @staticmethod
    def _entries(opened: _Open, inside: str) -> tuple[Entry, Entry]:
        """The entry at a path, and the one that holds its data: another one for a hard link."""
        entry = opened.tree.entry(inside)
        holder = entry and opened.tree.file_of(entry)
        if entry is None or holder is None:
            raise _error(errno.ENOENT)
        return entry, holder

    def _opened(self, snapshot_id: str) -> _Open:
        if snapshot_id not in self._open:
            row, sealed = self._rows[snapshot_id], self._catalog.trees.of(snapshot_id)
            tree = SnapshotTree(sealed)
            wanted = find_wanted(row, sealed, Selection.of("", (), ()))
            files = StoredFiles(self._catalog, row, wanted, sealed, self._present)
            self._open[snapshot_id] = _Open(self._numbers[snapshot_id], tree, files)
        self._open.move_to_end(snapshot_id)
        if len(self._open) > _OPEN_COUNT:
            self._open.popitem(last=False)
        return self._open[snapshot_id]

    @staticmethod
    def _status_of(opened: _Open, entry: Entry, holder: Entry) -> Status:
        links_count = opened.tree.links_count(holder) if holder.kind == "file" else 1
        return status_of(holder, opened.number, links_count)

    def _status_above(self, path: str) -> Status:
        if path in self._layout.links:
            kind, size_bytes = stat.S_IFLNK | 0o777, len(self._layout.links[path])
        elif path in self._layout.folders or path in self._layout.snapshots:
            kind, size_bytes = stat.S_IFDIR | 0o755, 0
        else:
            raise _error(errno.ENOENT)
        started = self._rows.get(self._layout.snapshots.get(path, ""))
        made_ns = int(started.started_at.timestamp()) * 1_000_000_000 if started else self._made_ns
        return Status(
            mode=kind,
            uid=os.geteuid(),
            gid=os.getegid(),
            size_bytes=size_bytes,
            mtime_ns=made_ns,
            ctime_ns=made_ns,
            inode=(1 << 62) + (hash(path) & 0xFFFF_FFFF),
        )


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
