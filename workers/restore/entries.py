"""Carries out the order to make or finish entries that need no stored data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tasks.errors import TargetError, TargetNotEmptyError
from tasks.orders import RestoreEntries, TargetEntry
from tasks.receipts import PathTrouble, RestoreResult
from workers.fresh_disk import is_of_fresh_disk
from workers.target.entries import restore_folder, restore_hard_link, restore_node, restore_symlink
from workers.target.files import is_unfinished, open_file, open_part, remove_entry, stat_entry
from workers.target.folders import Folders
from workers.target.metadata import Metadata
from workers.target.overwrite import Overwrite, is_kept
from workers.target.troubles import PATH_ERRORS, MetadataTrouble, TargetTrouble, trouble_at


def restore_entries(
    order: RestoreEntries,
    *,
    target_root: Path,
    beat: Callable[[], object],
    before_write: Callable[[], None] = lambda: None,
) -> RestoreResult:
    """Make or finish the order's entries below ``target_root``, which is made when missing.

    ``beat`` is called for each entry, and while zeros are written: on a network 2,000 entries may take a minute.
    Repeated calls, even at the same time, lead to the same entries.  Raises TargetNotEmptyError, TargetError when the
    target takes no more, and what ``before_write``, which is called for each, raises.
    """
    try:
        target_root.mkdir(parents=True, exist_ok=True)
        if order.must_be_empty:
            _check_empty(target_root, order.entries)
    except OSError as error:
        message = f"cannot make or read the target {target_root}: {error.strerror}"
        raise TargetError(message, path=str(target_root)) from error
    files_count, skipped_count = 0, 0
    troubles: list[PathTrouble] = []
    with Folders(target_root) as folders:
        for entry in order.entries:
            before_write()
            try:
                is_done = _restore(folders, entry, order.overwrite, beat)
                skipped_count += not is_done
                files_count += is_done and _is_complete_file(entry)
            except PATH_ERRORS as error:
                files_count += isinstance(error, MetadataTrouble) and _is_complete_file(entry)
                skipped_count += isinstance(error, _Skipped)
                troubles.append(trouble_at(entry.path, error))
            beat()
    return RestoreResult(
        files_count=files_count, bytes_restored=0, skipped_count=skipped_count, troubles=tuple(troubles)
    )


class _Skipped(TargetTrouble):
    def __init__(self) -> None:
        super().__init__("skipped", "a file exists already and is kept")


def _restore(folders: Folders, entry: TargetEntry, overwrite: Overwrite, beat: Callable[[], object]) -> bool:
    """Whether the entry is now as it should be; false when something else is there and stays."""
    match entry.kind:
        case "directory":
            restore_folder(folders, entry, overwrite)
            return True
        case "file":
            return _restore_file(folders, entry, overwrite, beat)
        case "symlink":
            return restore_symlink(folders, entry, overwrite)
        case "hardlink":
            return restore_hard_link(folders, entry, overwrite)
        case "absent":
            return _remove(folders, entry)
        case "note":
            return _write_note(folders, entry)
        case _:
            return restore_node(folders, entry, overwrite)


def _restore_file(folders: Folders, entry: TargetEntry, overwrite: Overwrite, beat: Callable[[], object]) -> bool:
    metadata = Metadata(entry.mode, entry.uid, entry.gid, entry.mtime_ns)
    if entry.finish:
        file = open_part(folders, entry.path)
    else:
        folder, name = folders.parent_of(entry.path)
        found = stat_entry(folder, name)
        if is_kept(found, overwrite, size_bytes=entry.size_bytes, mtime_ns=entry.mtime_ns):
            if entry.size_bytes:
                raise _Skipped
            return False
        file = open_file(folders, entry.path, entry.size_bytes, metadata)
    try:
        for offset_bytes, size_bytes in zip(entry.hole_offsets_bytes, entry.hole_sizes_bytes, strict=True):
            file.make_zeros(offset_bytes, size_bytes, beat)
        if entry.finish or not entry.size_bytes:
            file.finish(entry.size_bytes, metadata)
    finally:
        file.close()
    return True


def _remove(folders: Folders, entry: TargetEntry) -> bool:
    with suppress(FileNotFoundError):
        folder, name = folders.parent_of(entry.path, make=False)
        found = stat_entry(folder, name)
        if found is not None and (is_unfinished(found) or not entry.if_unfinished):
            remove_entry(folder, name, found)
    return True


def _write_note(folders: Folders, entry: TargetEntry) -> bool:
    data = entry.text.encode()
    metadata = Metadata(entry.mode, entry.uid, entry.gid, entry.mtime_ns)
    file = open_file(folders, entry.path, len(data), metadata)
    try:
        file.write(data, 0, len(data), 0)
        file.finish(len(data), metadata)
    finally:
        file.close()
    return True


def _is_complete_file(entry: TargetEntry) -> bool:
    """Whether this makes a file complete: not a folder, and not one whose extents are still to come."""
    return entry.kind not in ("directory", "absent", "note") and (
        entry.kind != "file" or entry.finish or not entry.size_bytes
    )


def _check_empty(root: Path, entries: Sequence[TargetEntry]) -> None:
    """Raises TargetNotEmptyError if anything is there that an earlier delivery of this order did not make."""
    ours = {parent for entry in entries for parent in _with_parents(entry.path)}
    pending = [""]
    while pending:
        above = pending.pop()
        with os.scandir(root / above) as found:
            for item in found:
                path = f"{above}/{item.name}" if above else item.name
                # A disk that was made for this restore is empty.
                if is_of_fresh_disk(path):
                    continue
                if path not in ours or _has_content(item):
                    message = f"the target {root} is not empty: it holds {path!r}"
                    raise TargetNotEmptyError(message, path=str(root))
                if item.is_dir(follow_symlinks=False):
                    pending.append(path)


def _with_parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _has_content(item: os.DirEntry[str]) -> bool:
    if not item.is_file(follow_symlinks=False):
        return False
    found = item.stat(follow_symlinks=False)
    return found.st_size > 0 and not is_unfinished(found)
