"""What a scan finds in a directory, and what is left of a scan that was stopped."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Found:
    """Entries of one directory, in order: lists of equal length, and the targets of the symlinks by name."""

    directory: str
    names: list[str] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)

    def before(self, name: str) -> Found:
        """What was found before ``name``, whatever another thread adds meanwhile."""
        bound = os.fsencode(name)
        count = next((at for at, other in enumerate(self.names) if os.fsencode(other) >= bound), len(self.statuses))
        return Found(self.directory, self.names[:count], self.letters[:count], self.statuses[:count], dict(self.links))


@dataclass(frozen=True, slots=True)
class Rest:
    """Where a scan stopped: what is still to be done of ``directory`` (None: nothing), and then of ``pending``."""

    pending: list[str]
    directory: str | None = None
    #: The last name in ``directory`` that is done, and the subdirectories of those that are.
    after_name: str = ""
    below: tuple[str, ...] = ()
