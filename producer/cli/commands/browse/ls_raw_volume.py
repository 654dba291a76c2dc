"""``segfleet ls`` inside the image of a raw volume."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

from producer.cli.call import Call
from producer.cli.commands.browse.shown import Shown
from producer.cli.options.known_devices import devices_of
from producer.cli.show.json_lines import write_row
from producer.cli.show.live.plain_lines import PlainObserver
from producer.cli.show.rows.entries import shown_path, shown_size, write_path_line
from producer.cli.show.times import rfc3339_of_ns
from producer.observer import Trouble
from tasks.errors import UsageError

if TYPE_CHECKING:
    from producer.cli.show.json_types.lists import EntryLine
    from producer.raw.inside.entry import InsideEntry
    from producer.raw.inside.inside import ImageFiles

_KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "character",
    stat.S_IFBLK: "block",
    stat.S_IFSOCK: "socket",
}


def list_inside(
    call: Call, snapshot_id: str, path: str, devices: dict[str, Path], *, recursive: bool, shown: Shown
) -> int:
    """List the entry at SOURCE/PATH and what is directly in it, or all below it; raises UsageError if there is none.

    Returns the exit code: 3 when a part of the file system cannot be read.
    """
    from producer.restore.image_view import image_view

    raw_volume, _, inside = path.partition("/")
    inside = inside.strip("/")
    named = devices or devices_of(call, snapshot_id)
    observer = PlainObserver()
    with image_view(snapshot_id, raw_volume, named, observer, call.environment(reads=True)) as files:
        entry = files.entry(inside)
        if entry is None:
            raise UsageError(
                f"{raw_volume} has no {inside}", hint=f"segfleet ls SNAPSHOT {raw_volume}/ shows what it has"
            )
        for found in _entries(files, entry, recursive=recursive):
            _show(found, f"{raw_volume}/{found.path}".rstrip("/"), shown, json=call.json)
        for text in files.troubles:
            observer.trouble(Trouble(code="unreadable", message=text, path=raw_volume))
        return 3 if files.troubles else 0


def _entries(files: ImageFiles, entry: InsideEntry, *, recursive: bool) -> list[InsideEntry]:
    below = files.below(entry.path) if recursive else files.entries_in(entry.path)
    return [entry, *(below if entry.node.is_directory else ())]


def _show(entry: InsideEntry, path: str, shown: Shown, *, json: bool) -> None:
    node = entry.node
    kind = _KINDS.get(stat.S_IFMT(node.mode), "file")
    if not shown.fits(path, kind, node.size_bytes, node.modified_ns):
        return
    if json:
        row: EntryLine = {
            "message_type": "entry",
            "path": path,
            "kind": kind,
            "mode": f"{stat.S_IMODE(node.mode):04o}",
            "uid": node.uid,
            "gid": node.gid,
            "mtime": rfc3339_of_ns(node.modified_ns),
            "size_bytes": node.size_bytes,
        }
        write_row(row)
    elif shown.long:
        size = shown_size(node.size_bytes, human_readable=shown.human_readable)
        owner = f"{node.uid:>6} {node.gid:>6}"
        line = f"{stat.filemode(node.mode)} {owner} {size:>14} {rfc3339_of_ns(node.modified_ns)} {shown_path(path)}"
        write_path_line(line)
    else:
        write_path_line(shown_path(path))
