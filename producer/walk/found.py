"""What a scan finds in a directory, and what is left of a scan that was stopped."""

from __future__ import annotations

import os
import stat

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
    #: Of all that is in the directory; empty unless this is all of it.
    mark: bytes = b""
    #: Whether an entry was kept without something that is told of each time: then there is no mark.
    has_flaw: bool = False
    #: Whether an earlier backup has seen just this: then nothing but the status of the entries has been asked for.
    is_known: bool = False
    _more_bytes: int = 0
    _distinct: set[frozenset[tuple[str, bytes]]] = field(default_factory=set)

    def add(self, name: str, letter: str, status: Status) -> None:
        """Add an entry; what is kept by name has been added before."""
        self.names.append(name)
        self.letters.append(letter)
        self.statuses.append(status)

    def add_link(self, name: str, target: str) -> None:
        self.links[name] = target
        self._more_bytes += len(target)

    def add_attributes(self, name: str, attributes: dict[str, bytes]) -> None:
        self.attributes[name] = attributes
        distinct = frozenset(attributes.items())
        if distinct not in self._distinct:
            self._distinct.add(distinct)
            self._more_bytes += sum(len(key) + len(value) for key, value in distinct)

    def add_data_ranges(self, name: str, ranges: list[tuple[int, int]]) -> None:
        """Of a file that may have holes: offset and size of each range of data."""
        self.data_ranges[name] = ranges
        self._more_bytes += _RANGE_BYTES * len(ranges)

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
    #: Whether directories are compared with their known marks.
    compares: bool = True


def trouble_of(content: tuple[str, str, str]) -> Trouble:
    code, message, path = content
    return Trouble(code=code, message=message, path=path)
