"""What a scan finds in a directory, and what is left of a scan that was stopped."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from msgspec import Struct, field

from producer.observer import Trouble
from producer.walk.status import Status

#: File format bits of ``st_mode`` → letter of the listing; sockets have none.
LETTERS = {
    stat.S_IFDIR: "d",
    stat.S_IFREG: "f",
    stat.S_IFLNK: "l",
    stat.S_IFIFO: "p",
    stat.S_IFCHR: "c",
    stat.S_IFBLK: "b",
}
FORMAT_BITS = 0o170000


#: Bounds of one batch.  With names of 255 bytes, all escaped, it makes a line of 8 MB that compresses to 2 MB.
BATCH_ENTRIES_COUNT = 4096
#: Of texts of symlinks, of ranges of data, and of extended attributes, those that several entries share counted once.
BATCH_MORE_BYTES = 256 * 1024
#: What a range of data takes, as text.
_RANGE_BYTES = 32


class Seen(NamedTuple):
    """One entry as the scan saw it."""

    letter: str
    status: Status
    link: str
    attributes: dict[str, bytes]
    #: Of a file that may have holes: offset and size of each range of data.
    data_ranges: list[tuple[int, int]] | None = None


class Found(Struct):
    """Entries of one directory, in order: lists of equal length.

    By name: the targets of the symlinks, the extended attributes of those that have any, and where files have data that
    may have holes.
    """

    directory: str
    names: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, dict[str, bytes]] = field(default_factory=dict)
    data_ranges: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    #: What has not been reported.
    troubles: list[Trouble] = field(default_factory=list)
    _more_bytes: int = 0
    _distinct: set[frozenset[tuple[str, bytes]]] = field(default_factory=set)

    def add(self, name: str, seen: Seen) -> None:
        if seen.link:
            self.links[name] = seen.link
            self._more_bytes += len(seen.link)
        if seen.attributes:
            self.attributes[name] = seen.attributes
            distinct = frozenset(seen.attributes.items())
            if distinct not in self._distinct:
                self._distinct.add(distinct)
                self._more_bytes += sum(len(key) + len(value) for key, value in distinct)
        if seen.data_ranges is not None:
            self.data_ranges[name] = seen.data_ranges
            self._more_bytes += _RANGE_BYTES * len(seen.data_ranges)
        self.names.append(name)
        self.letters.append(seen.letter)
        self.statuses.append(seen.status)

    @property
    def is_full(self) -> bool:
        """Whether no entry may be added: a batch of the listing has bounds."""
        return len(self.names) == BATCH_ENTRIES_COUNT or self._more_bytes > BATCH_MORE_BYTES

    def before(self, name: str) -> Found:
        """What was found before ``name``, whatever another thread adds meanwhile."""
        bound = os.fsencode(name)
        count = next((at for at, other in enumerate(self.names) if os.fsencode(other) >= bound), len(self.statuses))
        names, letters, statuses = self.names[:count], self.letters[:count], self.statuses[:count]
        return Found(
            self.directory,
            names,
            letters,
            statuses,
            dict(self.links),
            dict(self.attributes),
            dict(self.data_ranges),
        )


class Rest(Struct, frozen=True):
    """Where a scan stopped: what is still to be done of ``directory`` (None: nothing), and then of ``pending``."""

    pending: list[str]
    directory: str | None = None
    #: The last name in ``directory`` that is done, and the subdirectories of those that are.
    after_name: str = ""
    below: tuple[str, ...] = ()


def trouble_of(content: tuple[str, str, str]) -> Trouble:
    code, message, path = content
    return Trouble(code=code, message=message, path=path)
