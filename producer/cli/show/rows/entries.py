"""Entries of a snapshot, as lists show them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any

import click

from producer.cli.show.safe_text import escaped
from producer.cli.show.times import local_time_of_ns, rfc3339_of_ns
from producer.configuration.values.sizes import format_size
from producer.host.behalf import is_for_terminal, terminal_width

if TYPE_CHECKING:
    from producer.listing import Entry

#: As wide is a terminal on which a path has room beside its owner.
_WITH_OWNER = 80

_TYPE_BITS = {
    "directory": stat.S_IFDIR,
    "file": stat.S_IFREG,
    "hardlink": stat.S_IFREG,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "character": stat.S_IFCHR,
    "block": stat.S_IFBLK,
}


def shown_path(path: str) -> str:
    """``path`` for standard output: escaped on a terminal, unchanged for another program."""
    return escaped(path) if is_for_terminal() else path


def write_path_line(line: str) -> None:
    """Print a line that may contain surrogate escapes, as the bytes they stand for."""
    click.echo(line.encode("utf-8", "surrogateescape"))


def entry_row(entry: Entry) -> dict[str, Any]:
    """The entry as ``--json`` prints it."""
    return {
        "path": entry.snapshot_path,
        "kind": entry.kind,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime": rfc3339_of_ns(entry.mtime_ns),
        "size_bytes": entry.size_bytes,
        "link": entry.link,
    }


def long_line(entry: Entry, *, path: str, human_readable: bool = False) -> str:
    """The entry as ``ls -l`` shows it; ``path`` is ready to print, and stays whole.

    On a terminal with its local time to the minute, and without its owner on a narrow one.
    """
    mode = stat.filemode(_TYPE_BITS[entry.kind] | entry.mode)
    size = shown_size(entry.size_bytes, human_readable=human_readable)
    link = f" -> {shown_path(entry.link)}" if entry.link else ""
    width = terminal_width()
    if width is None:
        return f"{mode} {entry.uid:>6} {entry.gid:>6} {size:>14} {rfc3339_of_ns(entry.mtime_ns)} {path}{link}"
    owner = f" {entry.uid:>5} {entry.gid:>5}" if width >= _WITH_OWNER else ""
    return f"{mode}{owner} {size:>10} {local_time_of_ns(entry.mtime_ns)} {path}{link}"


def shown_size(size_bytes: int, *, human_readable: bool) -> str:
    return format_size(size_bytes) if human_readable else str(size_bytes)
