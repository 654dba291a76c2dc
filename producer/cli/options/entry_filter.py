"""The options that choose entries by kind, size and time: of ``ls`` and ``find``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click
from msgspec import Struct

from producer.cli.options.shared import Command
from producer.configuration.values.moments import parse_moment_ns
from producer.configuration.values.sizes import parse_size
from tasks.errors import UsageError

#: Letter of ``--type``, as find and fd have them → kinds of entries.  A hard link is a file.
_TYPES = {
    "f": ("file", "hardlink"),
    "d": ("directory",),
    "l": ("symlink",),
    "p": ("fifo",),
    "c": ("character",),
    "b": ("block",),
    "h": ("hardlink",),
}


class EntryFilter(Struct, frozen=True, kw_only=True):
    """Which entries are shown.  Empty and None: any."""

    kinds: frozenset[str] = frozenset()
    min_bytes: int | None = None
    max_bytes: int | None = None
    oldest_ns: int | None = None
    newest_ns: int | None = None

    def fits(self, kind: str, size_bytes: int, mtime_ns: int) -> bool:
        if self.kinds and kind not in self.kinds:
            return False
        if not _is_between(mtime_ns, self.oldest_ns, self.newest_ns):
            return False
        # Only files have a size.
        if self.min_bytes is None and self.max_bytes is None:
            return True
        return kind == "file" and _is_between(size_bytes, self.min_bytes, self.max_bytes)


def _is_between(value: int, least: int | None, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def size_bounds(texts: tuple[str, ...]) -> tuple[int | None, int | None]:
    """(least, most) bytes of ``+1MiB`` (that or more), ``-1MiB`` (that or less) and ``1MiB`` (exactly); all must hold.

    Raises UsageError.
    """
    least: list[int] = []
    most: list[int] = []
    for text in texts:
        size_bytes = parse_size(text.lstrip()[1:] if text.lstrip()[:1] in ("+", "-") else text)
        least += [] if text.lstrip().startswith("-") else [size_bytes]
        most += [] if text.lstrip().startswith("+") else [size_bytes]
    return max(least, default=None), min(most, default=None)


def filter_of(
    *, kinds: tuple[str, ...], sizes: tuple[str, ...], oldest_ns: int | None, newest_ns: int | None
) -> EntryFilter:
    """The filter that the values of the options make; raises UsageError."""
    least, most = size_bounds(sizes)
    return EntryFilter(
        kinds=frozenset(kind for letter in kinds for kind in _TYPES[letter]),
        min_bytes=least,
        max_bytes=most,
        oldest_ns=oldest_ns,
        newest_ns=newest_ns,
    )


def _moment(value: str) -> int:
    try:
        return parse_moment_ns(value, datetime.now(UTC))
    except UsageError as error:
        raise click.BadParameter(f"{error.message}: {error.hint}") from error


_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.option(
        "--type",
        "kinds",
        type=click.Choice(list(_TYPES)),
        multiple=True,
        help="Only files (f), directories (d), symlinks (l), FIFOs (p), devices (c, b), hard links (h); repeatable.",
    ),
    click.option(
        "--size",
        "sizes",
        multiple=True,
        metavar="[+|-]SIZE",
        help="Only files of SIZE or more (+), SIZE or less (-), or exactly SIZE; repeatable.",
    ),
    click.option(
        "--oldest", "oldest_ns", type=_moment, metavar="TIME", help="Only what was modified at TIME or later."
    ),
    click.option(
        "--newest", "newest_ns", type=_moment, metavar="TIME", help="Only what was modified at TIME or before."
    ),
    click.option("--human-readable", is_flag=True, help="With --long: show sizes in KiB, MiB, GiB and TiB."),
)


def filter_options(command: Command) -> Command:
    """Add the options.  The command passes their values on to :func:`filter_of`, but for ``human_readable``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
