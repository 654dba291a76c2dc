"""Looks into files that the walk saw as empty, or as one hole."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from tasks.orders import ConfirmEmpty
from tasks.receipts import EmptyResult, ExtentNote, ExtentTrouble
from workers.sources.files import SourceFiles
from workers.sources.place import Place

#: A sign of life after so many files: they take 6 us each, but some file systems are slow.
_BEAT_EVERY_COUNT = 64


def confirm_empty(order: ConfirmEmpty, *, source_root: Path, beat: Callable[[], object]) -> EmptyResult:
    """Look into each file of ``order``; a note for each that has data, or cannot be read.

    One that is gone needs no note: nothing of it is missing.  Raises SourceError when the source is not there.
    """
    notes = []
    with SourceFiles(Place(order.source, source_root, order.within.path if order.within is not None else "")) as files:
        for index, (path, size_bytes) in enumerate(zip(order.paths, order.sizes_bytes, strict=True)):
            if not index % _BEAT_EVERY_COUNT:
                beat()
            flaw = _flaw(files, path, size_bytes)
            if flaw is not None:
                notes.append(ExtentNote(index=index, trouble=flaw[0], read_bytes=0, message=flaw[1]))
    return EmptyResult(notes=tuple(notes))


def _flaw(files: SourceFiles, path: str, size_bytes: int) -> tuple[ExtentTrouble, str] | None:
    """What is wrong with a file that had this size at the walk, and no data."""
    try:
        fd = files.open(path)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return "changed", "no longer a regular file; stored as an empty one"
            has_data = _has_data(fd, status) if size_bytes else bool(os.read(fd, 1))
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return None
        return "unreadable", os.strerror(error.errno or errno.EIO)
    if size_bytes and (has_data or status.st_size != size_bytes):
        return "changed", f"was one hole of {size_bytes} bytes at the walk, and is stored so; was written since"
    if not has_data:
        return None
    if status.st_size:
        return "changed", f"has {status.st_size} bytes; it was empty at the walk, and is stored so"
    return "changed", "has data, though its size is 0 bytes; stored as an empty file"


def _has_data(fd: int, status: os.stat_result) -> bool:
    """Whether the file is more than a hole.  A view without holes shows them as data, but without blocks."""
    if not status.st_blocks:
        return False
    try:
        os.lseek(fd, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return False
        raise
    return True
