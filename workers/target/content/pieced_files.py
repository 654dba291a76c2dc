"""Files to which several orders contribute, on several devices at once.

The first order makes the file under a temporary name, which all of them know; the others write to it; the last one
finishes it and renames it, over whatever is there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress

from tasks.orders import TargetEntry
from workers.target.content.left_over import LeftOvers, forget_left_over
from workers.target.content.whole_files import OPEN, make_file, open_unfinished, take_place
from workers.target.files import TargetFile, remove_entry, stat_entry
from workers.target.folders import Folders
from workers.target.metadata.metadata import Metadata, metadata_of, set_metadata
from workers.target.metadata.not_kept import NotKept
from workers.target.metadata.opening_up import in_folder
from workers.target.troubles import TargetTrouble
from workers.target.unfinished import is_unfinished, temporary_name

_TRIES = 3


def prepare_pieced_file(folders: Folders, path: str, run_id: str, left_overs: LeftOvers | None = None) -> None:
    """Make the file, unless an earlier delivery did; raises TargetTrouble for a folder in its place, and OSError.

    Of ``left_overs`` it takes its own.
    """
    folder, name = folders.parent_of(path)
    found = stat_entry(folder, name)
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise TargetTrouble("exists", "a folder is in its place")
    if left_overs is not None:
        left_overs.claim(folder, path)
    temporary = temporary_name(run_id, path)
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            os.close(make_file(folder, temporary, os.O_WRONLY))
            return
        found = stat_entry(folder, temporary)
        if found is not None and _is_ours(folder, temporary, found):
            return
        if found is not None:
            remove_entry(folder, temporary, found)
    raise TargetTrouble("unsafe-target", "something else keeps appearing under the temporary name")


def open_pieced_file(folders: Folders, path: str, run_id: str) -> TargetFile:
    """Raises TargetTrouble when it is not there or is not what was made; and OSError."""
    folder, _ = folders.parent_of(path)
    temporary = temporary_name(run_id, path)
    try:
        descriptor = in_folder(folder, lambda: os.open(temporary, OPEN, dir_fd=folder))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
            raise
        raise TargetTrouble("unsafe-target", "what was being restored has vanished or been replaced") from error
    if not _is_ours(folder, temporary, os.fstat(descriptor)):
        os.close(descriptor)
        raise TargetTrouble("unsafe-target", "what was being restored has been replaced")
    # Never treated as new: another device may be writing beyond what this one sees.
    return TargetFile(descriptor, is_fresh=False)


def finish_pieced_file(folders: Folders, entry: TargetEntry, run_id: str, beat: Callable[[], object]) -> None:
    """Make the lost ranges zeros, set the size, rename the file to its name, and set its metadata.

    Raises MetadataTrouble when it is there without all of its metadata; TargetTrouble and OSError.
    """
    folder, name = folders.parent_of(entry.path)
    metadata = metadata_of(entry)
    temporary = temporary_name(run_id, entry.path)
    if stat_entry(folder, temporary) is None and stat_entry(folder, name) is not None:
        _complete(folder, name, metadata, folders.not_kept)
        return
    file = open_pieced_file(folders, entry.path, run_id)
    try:
        for offset_bytes, size_bytes in zip(entry.hole_offsets_bytes, entry.hole_sizes_bytes, strict=True):
            file.make_zeros(offset_bytes, size_bytes, beat)
        file.cut(entry.size_bytes)
        take_place(folder, temporary, name, file.descriptor)
        forget_left_over(folder, run_id, entry.path)
        set_metadata(file.descriptor, metadata, folders.not_kept)
    finally:
        file.close()


def _complete(folder: int, name: str, metadata: Metadata, not_kept: NotKept) -> None:
    """An earlier delivery has renamed the file; it may have ended just before it set the metadata."""
    descriptor = open_unfinished(folder, name)
    if descriptor is not None:
        try:
            set_metadata(descriptor, metadata, not_kept)
        finally:
            os.close(descriptor)


def discard_pieced_file(folders: Folders, path: str, run_id: str) -> None:
    """Remove what has been written of it; what was there before stays."""
    with suppress(FileNotFoundError):
        folder, _ = folders.parent_of(path, make=False)
        forget_left_over(folder, run_id, path)
        temporary = temporary_name(run_id, path)
        in_folder(folder, lambda: os.unlink(temporary, dir_fd=folder))


def _is_ours(folder: int, temporary: str, found: os.stat_result) -> bool:
    """Whether this user made the file, and nobody else can have opened it."""
    return is_unfinished(found) or (
        stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and _looks_like(folder, temporary, found)
    )


def _looks_like(folder: int, temporary: str, found: os.stat_result) -> bool:
    """Whether a file that is made now gets the same owner and mode: some file systems have only one of each."""
    probe = f"{temporary}.{os.getpid()}"
    descriptor = make_file(folder, probe, os.O_WRONLY)
    try:
        made = os.fstat(descriptor)
        return (made.st_uid, made.st_mode) == (found.st_uid, found.st_mode)
    finally:
        os.close(descriptor)
        os.unlink(probe, dir_fd=folder)
