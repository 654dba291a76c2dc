"""Further names of restored files: hard links, or copies where the target takes no links."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from tasks.orders import KEEP_OTHERS, Overwrite, TargetEntry
from workers.target.content.copies import copy_file
from workers.target.entries import make_entry
from workers.target.files import stat_entry
from workers.target.folders import Folders
from workers.target.metadata.metadata import has_metadata, metadata_of
from workers.target.metadata.opening_up import in_folder
from workers.target.refusals import is_refused
from workers.target.troubles import TargetTrouble


class _NoLinks(Exception):
    """The target takes no hard link here."""


def restore_hard_link(
    folders: Folders, entry: TargetEntry, overwrite: Overwrite, run_id: str, beat: Callable[[], object]
) -> bool:
    """Make ``entry.path`` a hard link of the file at ``entry.link``.  The metadata is that file's.

    Where the target takes no hard links, a copy is made.  Returns false when something else is there and stays.
    """
    folder, _ = folders.parent_of(entry.path)
    first_folder, first_name, first = _first(folders, entry)

    def make(folder: int, name: str) -> None:
        if overwrite in KEEP_OTHERS and not has_metadata(first, entry.size_bytes, metadata_of(entry)):
            raise TargetTrouble("other-file", f"the file that it links to is not that of the snapshot: {entry.link}")
        in_folder(first_folder, lambda: _link(first_folder, first_name, folder, name, entry))

    def is_same(folder: int, name: str, found: os.stat_result) -> bool:
        return (found.st_dev, found.st_ino) == (first.st_dev, first.st_ino)

    try:
        return make_entry(folder, entry, overwrite, run_id, make, is_same)
    except _NoLinks:
        copy_file(folders, first_folder, first_name, entry.path, run_id, beat)
        folders.not_kept.unsupported["hard-link"] += 1
        return True


def _first(folders: Folders, entry: TargetEntry) -> tuple[int, str, os.stat_result]:
    """Folder, name and status of the file that it links to."""
    try:
        folder, name = folders.parent_of(entry.link, make=False)
        found = stat_entry(folder, name)
    except FileNotFoundError:
        found = None
    if found is None:
        raise TargetTrouble("missing", f"the file that it links to is missing: {entry.link}")
    return folder, name, found


def _link(first_folder: int, first_name: str, folder: int, name: str, entry: TargetEntry) -> None:
    try:
        os.link(first_name, name, src_dir_fd=first_folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.EMLINK:
            raise TargetTrouble("too-many-links", f"it takes no more hard links: {entry.link}") from error
        # What is mounted in the target is another file system.
        if error.errno != errno.EXDEV and not is_refused(error, folder, "hard-link"):
            raise
        raise _NoLinks from error
