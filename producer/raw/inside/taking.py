"""Copies files out of an image into a folder, and nowhere else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from producer.raw.inside.allowance import Allowance
from producer.raw.inside.entry import InsideEntry, Reader
from producer.raw.inside.image_bytes import DamagedError, ImageBytes, Piece
from producer.raw.inside.tree import Tree

_COPIED_BYTES = 1024 * 1024
_LONGEST_LINK_BYTES = 4095
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def take_out(reader: Reader, tree: Tree, entry: InsideEntry, target: Path) -> None:
    """Copy the entries of a directory, or what else ``entry`` is, into the empty folder ``target``.

    Each name is used only together with the descriptor of the folder that it is in, and never followed.  What cannot
    be copied is a trouble of ``tree``.
    """
    top = os.open(target, _FOLDER)
    try:
        _Taking(reader, tree, entry, top).run()
    finally:
        os.close(top)


class _Taking:
    def __init__(self, reader: Reader, tree: Tree, entry: InsideEntry, top: int) -> None:
        self._reader = reader
        self._tree = tree
        self._entry = entry
        self._top = top
        self._allowance = Allowance(reader.image.size_bytes, shares_blocks=reader.shares_blocks)
        #: Files of several names that are there already, with the path that they were copied to.
        self._first_paths: dict[int, str] = {}

    def run(self) -> None:
        if not self._entry.node.is_directory:
            self._take(self._entry, self._entry.path.rpartition("/")[2])
            return
        prefix = f"{self._entry.path}/" if self._entry.path else ""
        folders = []
        for found in self._tree.below(self._entry):
            path = found.path.removeprefix(prefix)
            self._take(found, path)
            if found.node.is_directory:
                folders.append((path, found))
        # What is written into a folder changes its time, and its mode may forbid it.
        for path, found in reversed(folders):
            self._finish_folder(path, found)

    def _take(self, found: InsideEntry, path: str) -> None:
        try:
            with _folder_of(self._top, path) as (folder, name):
                self._allowance.take_entry(name)
                self._make(found, path, folder, name)
        except (DamagedError, OSError, OverflowError) as error:
            self._tree.trouble(found.path, _why(error))

    def _make(self, found: InsideEntry, path: str, folder: int, name: bytes) -> None:
        kind = stat.S_IFMT(found.node.mode)
        if kind == stat.S_IFDIR:
            os.mkdir(name, 0o700, dir_fd=folder)
        elif kind == stat.S_IFREG:
            self._make_file(found, path, folder, name)
        elif kind == stat.S_IFLNK:
            self._make_link(found, folder, name)
        else:
            raise DamagedError(f"a {_KINDS.get(kind, 'node of unknown kind')} is not extracted from an image")

    def _make_link(self, found: InsideEntry, folder: int, name: bytes) -> None:
        target = self._reader.link_target(found.number)
        if not target or len(target) > _LONGEST_LINK_BYTES or b"\0" in target:
            raise DamagedError("the link leads nowhere")
        os.symlink(target, name, dir_fd=folder)
        times = (found.node.accessed_ns, found.node.modified_ns)
        os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)
        if os.geteuid() == 0:
            os.chown(name, found.node.uid, found.node.gid, dir_fd=folder, follow_symlinks=False)

    def _make_file(self, found: InsideEntry, path: str, folder: int, name: bytes) -> None:
        first_path = self._first_paths.get(found.number)
        if first_path is not None:
            with _folder_of(self._top, first_path) as (first_folder, first_name):
                os.link(first_name, name, src_dir_fd=first_folder, dst_dir_fd=folder, follow_symlinks=False)
            return
        file = os.open(name, _NEW_FILE, 0o600, dir_fd=folder)
        try:
            self._fill(found, file)
            _finish(file, found)
        except BaseException:
            os.unlink(name, dir_fd=folder)
            raise
        finally:
            os.close(file)
        if found.node.links_count > 1:
            self._first_paths[found.number] = path

    def _fill(self, found: InsideEntry, file: int) -> None:
        """Write the content; holes stay holes."""
        os.ftruncate(file, found.node.size_bytes)
        small = self._reader.small_content(found.number)
        if small is not None:
            self._allowance.take(len(small))
            _write(file, small, 0)
            return
        for piece in self._reader.pieces(found.number):
            self._allowance.take(piece.size_bytes)
            for start, content in _content(piece, self._reader.image):
                _write(file, content, start)

    def _finish_folder(self, path: str, found: InsideEntry) -> None:
        try:
            with _folder_of(self._top, path) as (folder, name):
                opened = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    _finish(opened, found)
                finally:
                    os.close(opened)
        except (OSError, OverflowError) as error:
            self._tree.trouble(found.path, _why(error))


@contextmanager
def _folder_of(top: int, path: str) -> Iterator[tuple[int, bytes]]:
    """The descriptor of the folder that ``path`` lies in below ``top``, opened part by part, and the last name."""
    *parts, name = os.fsencode(path).split(b"/")
    folder = os.dup(top)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder, name
    finally:
        os.close(folder)


def _content(piece: Piece, image: ImageBytes) -> Iterator[tuple[int, bytes]]:
    for offset in range(0, piece.size_bytes, _COPIED_BYTES):
        size_bytes = min(_COPIED_BYTES, piece.size_bytes - offset)
        yield piece.start_bytes + offset, image.read(piece.image_start_bytes + offset, size_bytes)


def _write(file: int, content: bytes, start: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(file, view, start)
        view, start = view[written:], start + written


def _why(error: Exception) -> str:
    if isinstance(error, OverflowError):
        return "it has a size, an owner or a time that no file of this host can have"
    return str(error.strerror if isinstance(error, OSError) else error)


def _finish(opened: int, found: InsideEntry) -> None:
    """Give a file or folder its owner, mode and times.  The set-id bits are left off where the owner cannot be set."""
    mode = stat.S_IMODE(found.node.mode)
    try:
        os.fchown(opened, found.node.uid, found.node.gid)
    except PermissionError:
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    os.fchmod(opened, mode)
    os.utime(opened, ns=(found.node.accessed_ns, found.node.modified_ns))
