"""Files that one order writes from beginning to end.

Where nothing is, the file is made under its own name, which saves a rename for each file of a plain restore: with
:data:`UNFINISHED_MODE` nobody but its owner can open it until it is whole.  Where something is, the new file is made
beside it under a temporary name and renamed over it once it is whole.  So what was there stays until then, and nobody
who has opened it can see the new content.

Nothing is truncated before it is written again: an order that arrives twice must not empty what the first delivery
restored.  Nothing is removed that has another size than this order gave it: somebody else has written to it since.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from workers.target.files import TargetFile, stat_entry
from workers.target.folders import Folders
from workers.target.metadata.attributes import lacks_attributes
from workers.target.metadata.metadata import Metadata, has_metadata, set_metadata
from workers.target.metadata.opening_up import in_folder
from workers.target.spelling import refuse_other_spelling
from workers.target.troubles import MetadataTrouble, TargetTrouble, name_trouble
from workers.target.unfinished import UNFINISHED_MODE, is_unfinished, temporary_name

CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
#: Without O_NONBLOCK a FIFO in the file's place would block the worker forever.
OPEN = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: Something else may appear at a name between two looks; more often than this is no accident.
_TRIES = 3
_COMPARED_BYTES = 1024 * 1024


class WholeFile(TargetFile):
    """A file under its own name, or with ``temporary`` one that takes the place of what is there."""

    __slots__ = ("_folders", "_path", "_temporary")

    def __init__(self, descriptor: int, folders: Folders, path: str, *, is_fresh: bool, temporary: str = "") -> None:
        super().__init__(descriptor, is_fresh=is_fresh)
        if not is_fresh:
            self._end_bytes = os.fstat(descriptor).st_size
        self._folders = folders
        self._path = path
        self._temporary = temporary

    def finish(self, size_bytes: int, metadata: Metadata) -> None:
        """Cut or extend the file to its size, let it take its place, and set its metadata.

        In this order: a file that is finished has no temporary name, so no delivery of the order takes it for its own.
        Raises MetadataTrouble when it is in its place without all of its metadata; TargetTrouble and OSError.
        """
        self.cut(size_bytes)
        if self._temporary:
            folder, name = self._folders.parent_of(self._path)
            if self._is_there_already(folder, name, size_bytes, metadata):
                return
            take_place(folder, self._temporary, name, self.descriptor)
        set_metadata(self.descriptor, metadata, self._folders.not_kept)

    def discard(self) -> None:
        """Remove what has been written; what was there before stays, and what others have written since.

        The run may have ended, and its user may write to the target.
        """
        try:
            folder, name = self._folders.parent_of(self._path, make=False)
            mine = self._temporary or name
            found, opened = stat_entry(folder, mine), os.fstat(self.descriptor)
            if found is not None and _is_same(found, opened) and opened.st_size == self._end_bytes:
                in_folder(folder, lambda: os.unlink(mine, dir_fd=folder))
        except (OSError, TargetTrouble):
            return
        finally:
            self.close()

    def _is_there_already(self, folder: int, name: str, size_bytes: int, metadata: Metadata) -> bool:
        """Whether an earlier delivery wrote the same file, which has hard links by now.  They stay."""
        found = stat_entry(folder, name)
        if found is None or found.st_nlink == 1 or not has_metadata(found, size_bytes, metadata):
            return False
        if not stat.S_ISREG(found.st_mode) or not self._holds_the_same(folder, name, size_bytes):
            return False
        if lacks_attributes(f"/proc/self/fd/{folder}/{name}", metadata.attributes, follow_symlinks=False):
            return False
        in_folder(folder, lambda: os.unlink(self._temporary, dir_fd=folder))
        return True

    def _holds_the_same(self, folder: int, name: str, size_bytes: int) -> bool:
        try:
            other = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError:
            return False
        try:
            return all(
                os.pread(other, _COMPARED_BYTES, at) == os.pread(self.descriptor, _COMPARED_BYTES, at)
                for at in range(0, size_bytes, _COMPARED_BYTES)
            )
        except OSError:
            return False
        finally:
            os.close(other)


def open_whole_file(folders: Folders, path: str, run_id: str) -> WholeFile:
    """Make the file that will be at ``path``; raises TargetTrouble for a folder there, and OSError."""
    folder, name = folders.parent_of(path)
    for _ in range(_TRIES):
        try:
            return WholeFile(make_file(folder, name, os.O_WRONLY), folders, path, is_fresh=True)
        except FileExistsError:
            found = stat_entry(folder, name)
        if found is not None and stat.S_ISDIR(found.st_mode):
            raise TargetTrouble("exists", "a folder is in its place")
        refuse_other_spelling(folder, name)
        if found is not None and not is_unfinished(found):
            return _open_replacement(folders, folder, path, run_id)
        descriptor = None if found is None else open_unfinished(folder, name)
        if descriptor is not None:
            return WholeFile(descriptor, folders, path, is_fresh=False)
    raise TargetTrouble("unsafe-target", "something else keeps appearing at this path")


@contextmanager
def whole_file(folders: Folders, path: str, run_id: str) -> Iterator[WholeFile]:
    """The file that will be at ``path``, for a block that writes and finishes it; closed after the block.

    What was written is removed when the block fails, unless only metadata are missing (MetadataTrouble).  Raises what
    :func:`open_whole_file` raises.
    """
    file = open_whole_file(folders, path, run_id)
    try:
        yield file
    except MetadataTrouble:
        file.close()
        raise
    except BaseException:
        file.discard()
        raise
    file.close()


def make_file(folder: int, name: str, access: int) -> int:
    """Make an unfinished file; raises FileExistsError, TargetTrouble for a name that is not taken, and OSError."""
    try:
        return in_folder(folder, lambda: os.open(name, CREATE | access, UNFINISHED_MODE, dir_fd=folder))
    except OSError as error:
        raise name_trouble(error, folder) or error from None


def open_unfinished(folder: int, name: str) -> int | None:
    """Open a file that this user's restore has made and not finished; None for anything else."""
    try:
        descriptor = in_folder(folder, lambda: os.open(name, OPEN, dir_fd=folder))
    except OSError:
        return None
    if is_unfinished(os.fstat(descriptor)):
        return descriptor
    os.close(descriptor)
    return None


def take_place(folder: int, temporary: str, name: str, descriptor: int | None = None) -> None:
    """Rename ``temporary`` to ``name``, whatever is there.

    Raises TargetTrouble for a folder, or a file that is spelled differently, and OSError.

    With ``descriptor`` another delivery of the order may have done so already.
    """
    refuse_other_spelling(folder, name)
    try:
        in_folder(folder, lambda: os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder))
    except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
        raise TargetTrouble("exists", "a folder is in its place") from error
    except FileNotFoundError:
        found = stat_entry(folder, name)
        mine = None if descriptor is None else os.fstat(descriptor)
        # Without a name it was replaced in its turn by that of a third delivery.
        is_done = mine is not None and (mine.st_nlink == 0 or (found is not None and _is_same(found, mine)))
        if not is_done:
            raise


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _open_replacement(folders: Folders, folder: int, path: str, run_id: str) -> WholeFile:
    temporary = temporary_name(run_id, path)
    for _ in range(_TRIES):
        with suppress(FileExistsError):
            # To be compared later, see _is_there_already.
            descriptor = make_file(folder, temporary, os.O_RDWR)
            return WholeFile(descriptor, folders, path, is_fresh=True, temporary=temporary)
        opened = open_unfinished(folder, temporary)
        if opened is not None:
            return WholeFile(opened, folders, path, is_fresh=False, temporary=temporary)
        # Something else: the name is no one else's.
        with suppress(FileNotFoundError):
            in_folder(folder, lambda: os.unlink(temporary, dir_fd=folder))
    raise TargetTrouble("unsafe-target", "something else keeps appearing under the temporary name")
