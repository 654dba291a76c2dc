"""Carries out the order to make or finish entries that need no stored data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tasks.errors import TargetError, TargetNotEmptyError
from tasks.orders import RestoreEntries, TargetEntry
from tasks.receipts import PathTrouble, RestoreResult
from workers.fresh_disk import is_of_fresh_disk
from workers.target.content.left_over import LeftOvers
from workers.target.content.pieced_files import discard_pieced_file, finish_pieced_file, prepare_pieced_file
from workers.target.content.sweeping import sweep_folder
from workers.target.content.whole_files import whole_file
from workers.target.entries import restore_folder, restore_node, restore_symlink
from workers.target.flags import restore_flags
from workers.target.folders import Folders
from workers.target.hard_links import restore_hard_link
from workers.target.metadata.metadata import metadata_of
from workers.target.metadata.owners import LocalOwners
from workers.target.overwrite import keeps_file
from workers.target.refusals import NotMade
from workers.target.removing import remove_surplus
from workers.target.troubles import PATH_ERRORS, MetadataTrouble, TargetTrouble, trouble_at
from workers.target.unfinished import UNFINISHED_FOLDER_MODE, is_unfinished, temporary_name


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
        _make_root(target_root, order)
        if order.must_be_empty:
            _check_empty(target_root, order)
    except OSError as error:
        message = f"cannot make or read the target {target_root}: {error.strerror}"
        raise TargetError(message, path=str(target_root)) from error
    files_count = skipped_count = removed_count = 0
    troubles: list[PathTrouble] = []
    owners = LocalOwners(order.owner_names)
    left_overs = LeftOvers(order.run_id) if order.claim else None
    with Folders(target_root) as folders:
        if order.sweep:
            sweep_folder(folders.root, order.run_id)
        for entry in map(owners.localized, order.entries):
            before_write()
            try:
                is_done = _restore(folders, entry, order, beat, left_overs)
                skipped_count += not is_done
                files_count += is_done and _is_complete_file(entry)
                removed_count += entry.kind == "surplus"
            except PATH_ERRORS as error:
                files_count += isinstance(error, MetadataTrouble) and _is_complete_file(entry)
                skipped_count += isinstance(error, _Skipped)
                troubles.append(trouble_at(entry.path, error))
            except NotMade:
                continue
            beat()
    return RestoreResult(
        files_count=files_count,
        bytes_restored=0,
        skipped_count=skipped_count,
        troubles=tuple(troubles),
        not_kept=dict(folders.not_kept.not_kept),
        unsupported=dict(folders.not_kept.unsupported),
        removed_count=removed_count,
    )


def _make_root(root: Path, order: RestoreEntries) -> None:
    """Make the target if it is missing: unfinished if the snapshot has metadata for it."""
    is_finished_later = any(entry.kind == "directory" and not entry.path for entry in order.entries)
    root.mkdir(UNFINISHED_FOLDER_MODE if is_finished_later else 0o777, parents=True, exist_ok=True)


class _Skipped(TargetTrouble):
    def __init__(self) -> None:
        super().__init__("skipped", "a file exists already and is kept")


def _restore(
    folders: Folders,
    entry: TargetEntry,
    order: RestoreEntries,
    beat: Callable[[], object],
    left_overs: LeftOvers | None,
) -> bool:
    """Whether the entry is now as it should be; false when something else is there and stays."""
    match entry.kind:
        case "directory":
            restore_folder(folders, entry, order.overwrite, order.run_id, sweep=order.sweep)
            return True
        case "file":
            return _restore_file(folders, entry, order, beat, left_overs)
        case "symlink":
            return restore_symlink(folders, entry, order.overwrite, order.run_id)
        case "hardlink":
            return restore_hard_link(folders, entry, order.overwrite, order.run_id, beat)
        case "flags":
            restore_flags(folders, entry)
            return True
        case "absent":
            discard_pieced_file(folders, entry.path, order.run_id)
            return True
        case "surplus":
            remove_surplus(folders, entry.path)
            return True
        case "note":
            _write(folders, entry, entry.text.encode(), order.run_id)
            return True
        case _:
            return restore_node(folders, entry, order.overwrite, order.run_id)


def _restore_file(
    folders: Folders,
    entry: TargetEntry,
    order: RestoreEntries,
    beat: Callable[[], object],
    left_overs: LeftOvers | None,
) -> bool:
    if entry.finish:
        finish_pieced_file(folders, entry, order.run_id, beat)
        return True
    if keeps_file(folders, entry.path, order.overwrite, entry.size_bytes, metadata_of(entry)):
        if entry.size_bytes:
            raise _Skipped
        return False
    if entry.size_bytes:
        prepare_pieced_file(folders, entry.path, order.run_id, left_overs)
    else:
        _write(folders, entry, b"", order.run_id)
    return True


def _write(folders: Folders, entry: TargetEntry, data: bytes, run_id: str) -> None:
    with whole_file(folders, entry.path, run_id) as file:
        file.write(data, 0, len(data), 0)
        file.finish(len(data), metadata_of(entry))


def _is_complete_file(entry: TargetEntry) -> bool:
    """Whether this makes a file complete: not a folder, and not one whose extents are still to come."""
    return entry.kind not in ("directory", "flags", "absent", "note", "surplus") and (
        entry.kind != "file" or entry.finish or not entry.size_bytes
    )


def _check_empty(root: Path, order: RestoreEntries) -> None:
    """Raises TargetNotEmptyError if anything is there that an earlier delivery of this order did not make."""
    ours = {made for entry in order.entries for made in _made_for(entry.path, order.run_id)}
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


def _made_for(path: str, run_id: str) -> Iterator[str]:
    """The paths that restoring ``path`` makes: itself, its temporary name and the folders above."""
    folder, slash, _ = path.rpartition("/")
    yield folder + slash + temporary_name(run_id, path)
    while path:
        yield path
        path = path.rpartition("/")[0]


def _has_content(item: os.DirEntry[str]) -> bool:
    if not item.is_file(follow_symlinks=False):
        return False
    found = item.stat(follow_symlinks=False)
    return found.st_size > 0 and not is_unfinished(found)
