"""Further names of a file as files of their own, where the target does not take hard links."""

from __future__ import annotations

import errno
import os
import stat
from base64 import b64encode
from collections.abc import Callable, Iterator

from workers.target.content.whole_files import WholeFile, whole_file
from workers.target.folders import Folders
from workers.target.metadata.metadata import Metadata
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import TargetTrouble

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1024 * 1024


def copy_file(folders: Folders, folder: int, name: str, path: str, run_id: str, beat: Callable[[], object]) -> None:
    """Make ``path`` a copy of the finished file ``name`` in ``folder``, with its holes and metadata.

    Raises MetadataTrouble when it is there without all of its metadata; TargetTrouble and OSError.
    """
    source = _open_to_read(folder, name)
    try:
        found = os.fstat(source)
        if not stat.S_ISREG(found.st_mode):
            raise TargetTrouble("unsafe-target", "the file that it links to was replaced")
        with whole_file(folders, path, run_id) as file:
            _copy_data(source, file, found.st_size, beat)
            file.finish(found.st_size, _metadata_at(source, found))
    finally:
        os.close(source)


def _open_to_read(folder: int, name: str) -> int:
    """Open a file of this user, who may have no right to read it."""
    try:
        return in_folder(folder, lambda: os.open(name, _READ, dir_fd=folder))
    except PermissionError:
        handle = in_folder(folder, lambda: os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=folder))
    try:
        mode = stat.S_IMODE(os.fstat(handle).st_mode)
        place = f"/proc/self/fd/{handle}"
        os.chmod(place, mode | stat.S_IRUSR)
        try:
            return os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        finally:
            os.chmod(place, mode)
    finally:
        os.close(handle)


def _copy_data(source: int, file: WholeFile, size_bytes: int, beat: Callable[[], object]) -> None:
    for start, stop in _data_ranges(source, size_bytes):
        for at in range(start, stop, _CHUNK_BYTES):
            data = os.pread(source, min(_CHUNK_BYTES, stop - at), at)
            file.write(data, 0, len(data), at)
            beat()


def _data_ranges(source: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < size_bytes:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # a hole up to the end
                return
            raise
        at = min(os.lseek(source, start, os.SEEK_HOLE), size_bytes)
        yield start, at


def _metadata_at(source: int, found: os.stat_result) -> Metadata:
    try:
        attributes = {name: b64encode(os.getxattr(source, name)).decode() for name in os.listxattr(source)}
    except OSError:
        attributes = {}
    return Metadata(found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, attributes)
