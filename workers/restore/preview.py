"""What a restore would make of entries: the rules of docs/restore.md, without doing anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from tasks.errors import TargetNotEmptyError
from tasks.orders import Overwrite, TargetEntry
from tasks.orders.target_looks import Fate, PreviewEntries, PreviewResult
from workers.fresh_disk import is_of_fresh_disk
from workers.target.entries import NODE_TYPES
from workers.target.folders import Folders
from workers.target.metadata.attributes import lacks_attributes
from workers.target.metadata.metadata import metadata_of
from workers.target.metadata.owners import LocalOwners
from workers.target.overwrite import fate_of, stays
from workers.target.troubles import PATH_ERRORS, TargetTrouble
from workers.target.unfinished import is_unfinished

_NEW: Fate = "new"


class _There(Struct, frozen=True, kw_only=True):
    """What is in the place of an entry, and a path to it through the folder's descriptor."""

    found: os.stat_result
    place: str


def preview_entries(order: PreviewEntries, *, target_root: Path, beat: Callable[[], object]) -> PreviewResult:
    """Raises TargetError if the target is not a folder that can be entered, TargetNotEmptyError."""
    if not os.path.lexists(target_root):
        return PreviewResult(fates=tuple(_NEW for _ in order.entries))
    if order.must_be_empty:
        _check_empty(target_root)
    owners = LocalOwners(order.owner_names)
    fates: list[Fate] = []
    with Folders(target_root, opens_up=False) as folders:
        for entry in map(owners.localized, order.entries):
            fates.append(_fate(folders, entry, order.overwrite))
            beat()
    return PreviewResult(fates=tuple(fates))


def _check_empty(root: Path) -> None:
    for name in os.listdir(root):
        if not is_of_fresh_disk(name):
            raise TargetNotEmptyError(f"the target {root} is not empty: it holds {name!r}", path=str(root))


def _fate(folders: Folders, entry: TargetEntry, overwrite: Overwrite) -> Fate:
    try:
        there = _look_at(folders, entry.path)
        if there is None:
            return "new"
        if entry.kind == "hardlink":
            return _fate_of_link(there, _look_at(folders, entry.link), entry, overwrite)
        return _fate_of(there, entry, overwrite)
    except TargetTrouble:
        # With "always" what stands in the place of the folder gives way to it.
        return "new" if overwrite == "always" else "refused"
    except PATH_ERRORS:
        return "refused"


def _look_at(folders: Folders, path: str) -> _There | None:
    try:
        folder, name = folders.parent_of(path, make=False)
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _There(found=found, place=f"/proc/self/fd/{folder}/{name}")


def _fate_of_link(there: _There, first: _There | None, entry: TargetEntry, overwrite: Overwrite) -> Fate:
    """``first`` is what is in the place of the file that it links to."""
    found = there.found
    if stays(found, overwrite, entry.mtime_ns):
        return "kept"
    if stat.S_ISDIR(found.st_mode):
        return "refused"
    is_linked = first is not None and os.path.samestat(found, first.found)
    return _fate_of_file(there, entry, overwrite) if is_linked else "replaced"


def _fate_of(there: _There, entry: TargetEntry, overwrite: Overwrite) -> Fate:
    is_folder = stat.S_ISDIR(there.found.st_mode)
    if entry.kind == "directory":
        if is_folder:
            return "mended" if overwrite in ("always", "if-changed") else "kept"
        return "replaced" if overwrite == "always" else "refused"
    if entry.kind == "file":
        return _fate_of_file(there, entry, overwrite)
    if stays(there.found, overwrite, entry.mtime_ns):
        return "kept"
    if is_folder:
        return "refused"
    return "mended" if _is_same(there, entry) else "replaced"


def _fate_of_file(there: _There, entry: TargetEntry, overwrite: Overwrite) -> Fate:
    found, fate = there.found, fate_of(there.found, overwrite, entry.size_bytes, metadata_of(entry))
    if is_unfinished(found):
        return "new"
    if fate == "write":
        return "refused" if stat.S_ISDIR(found.st_mode) else "replaced"
    if overwrite == "if-changed" and lacks_attributes(there.place, entry.attributes, follow_symlinks=False):
        return "replaced" if found.st_nlink > 1 else "mended"
    return "mended" if fate == "mend" else "kept"


def _is_same(there: _There, entry: TargetEntry) -> bool:
    found = there.found
    if entry.kind == "symlink":
        return stat.S_ISLNK(found.st_mode) and os.readlink(there.place) == entry.link
    return stat.S_IFMT(found.st_mode) == NODE_TYPES[entry.kind] and found.st_rdev == entry.device_number
